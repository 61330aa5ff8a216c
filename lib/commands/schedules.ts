/** `schedules`: the schedules of a server, and the decisions about the ticks of one. */
import { MillraceError } from '../model/errors.js';
import { printable } from '../text/printable.js';
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { segment, serverFrom, serverOptions } from './server-client.js';
import { renderTable } from './table.js';
import type { z } from 'zod';
import type { Decisions, Schedules } from '../server/api/schemas.js';

const ACTIONS = ['list', 'history', 'pause', 'unpause'] as const;

export const schedulesCommand: Command = {
  name: 'schedules',
  description: 'List the schedules of a server (`serve`), show the history of one, pause it or let it go on',
  words: [
    { name: 'schedules-action', describe: 'list (default), history, pause or unpause', isOptional: true },
    { name: 'schedule', describe: 'The schedule: <workflow>/<name>', isOptional: true },
  ],
  options: {
    ...serverOptions,
    note: { type: 'string', requiresArg: true, describe: 'For pause: why' },
    json: { type: 'boolean', describe: 'Print JSON' },
    ...debugOptions,
  },
  run: async (args) => {
    const action = args.wordOf('schedules-action', ACTIONS) ?? 'list';
    if (action !== 'pause') args.refuseOptions(['note'], 'belongs to `schedules pause`');
    const server = serverFrom(args);
    if (action === 'list') {
      const { schedules } = await server.get<z.output<typeof Schedules>>('/schedules');
      if (args.flag('json')) process.stdout.write(`${JSON.stringify(schedules)}\n`);
      else {
        const rows = schedules.map(({ id, rule, zone, pause, next, problem, isPresent }) => {
          const state = !isPresent ? 'gone' : problem !== '' ? problem : pause === null ? 'on' : 'paused';
          return [id, rule, zone ?? '', state, inWords(next[0])];
        });
        print(['schedule', 'rule', 'zone', 'state', 'next tick'], rows);
      }
      return EXIT.success;
    }
    const [workflow = '', name = ''] = args.word('schedule').split('/');
    if (name === '') {
      throw new MillraceError(
        'MILLRACE_USAGE',
        `Expected <workflow>/<name> after \`schedules ${action}\`. \`schedules\` lists them`,
      );
    }
    const path = `/schedules/${segment(workflow)}/${segment(name)}`;
    if (action === 'history') {
      const { decisions } = await server.get<z.output<typeof Decisions>>(`${path}/decisions?limit=50`);
      if (args.flag('json')) process.stdout.write(`${JSON.stringify(decisions)}\n`);
      else {
        const rows = decisions.map(({ from, to, count, runId, reason }) => {
          const ticks = from === to ? inWords(from) : `${inWords(from)} to ${inWords(to)} (${count ?? 'many'})`;
          return [ticks, runId === null ? `no run: ${reason ?? ''}` : `run ${runId}`];
        });
        print(['tick', 'decision'], rows);
      }
      return EXIT.success;
    }
    if (action === 'pause') await server.post(`${path}/pause`, { note: args.text('note') ?? '' });
    else await server.post(`${path}/unpause`);
    process.stderr.write(`Schedule ${args.word('schedule')} is ${action === 'pause' ? 'paused' : 'on again'}\n`);
    return EXIT.success;
  },
};

function print(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  const columns = titles.map((title) => ({ title }));
  for (const line of renderTable(
    columns,
    rows.map((row) => row.map(printable)),
    Infinity,
  ))
    process.stdout.write(`${line}\n`);
}

function inWords(at: number | undefined): string {
  return at === undefined ? '' : new Date(at).toISOString();
}
