/** `schedules`: the schedules of a server, and the decisions about the ticks of one. */
import { printable } from '../text/printable.js';
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { scheduleFrom, serverFrom, serverOptions } from './server-client.js';
import { renderTable } from './table.js';

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
    const server = await serverFrom(args);
    if (action === 'list') {
      const schedules = await server.schedules.list();
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
    const [workflow, name] = scheduleFrom(args, `schedules ${action}`);
    if (action === 'history') {
      const decisions = await server.schedules.decisions(workflow, name);
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
    if (action === 'pause') await server.schedules.pause(workflow, name, args.text('note'));
    else await server.schedules.unpause(workflow, name);
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
