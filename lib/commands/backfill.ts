/** `backfill`: asks a server for a run for each tick of a range of the past. */
import { MillraceError } from '../model/errors.js';
import { counted } from '../text/printable.js';
import type { Arguments } from './arguments.js';
import { debugOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { scheduleFrom, serverFrom, serverOptions } from './server-client.js';

const value = { type: 'string', requiresArg: true } as const;

export const backfillCommand: Command = {
  name: 'backfill',
  description: 'Ask a server (`serve`) for a run for each tick of a schedule in a range of the past',
  words: [{ name: 'schedule', describe: 'The schedule: <workflow>/<name>' }],
  options: {
    ...serverOptions,
    from: { ...value, describe: 'Ticks after this moment: ISO 8601 with Z or an offset' },
    to: { ...value, describe: 'Ticks up to and including this moment' },
    missing: { type: 'boolean', describe: 'Only ticks without a run that is queued, at work or completed' },
    preview: { type: 'boolean', describe: 'Only print the ticks' },
    overlaps: { type: 'boolean', describe: 'The runs may overlap (default: each waits for the one before)' },
    'request-key': { ...value, describe: 'Asking again under the same key adds nothing (default: a new backfill)' },
    ...debugOptions,
  },
  run: async (args) => {
    const [workflow, name] = scheduleFrom(args, 'backfill');
    const ticks = args.flag('missing') ? 'missing' : 'all';
    const range = { from: momentOf(args, 'from'), to: momentOf(args, 'to'), ticks } as const;
    const { backfills } = await serverFrom(args);
    if (args.flag('preview')) {
      args.refuseOptions(['overlaps', 'request-key'], 'cannot be combined with --preview');
      const { count, ticks: named } = await backfills.preview(workflow, name, range);
      const lines = named.map((at) => new Date(at).toISOString());
      if (count > named.length) lines.splice(-1, 0, `… ${counted(count - named.length, 'tick')} more`);
      process.stdout.write(lines.map((line) => `${line}\n`).join(''));
      return EXIT.success;
    }
    const requestKey = args.text('request-key');
    const request = { ...range, overlaps: args.flag('overlaps'), requestKey };
    const { id, count } = await backfills.start(workflow, name, request);
    process.stdout.write(`${id}\n`);
    process.stderr.write(`${counted(count, 'run')} queued\n`);
    return EXIT.success;
  },
};

function momentOf(args: Arguments, name: string): number {
  const text = args.text(name) ?? '';
  const hasOffset = /T.*(Z|[+-]\d\d:\d\d)$/.test(text);
  const at = hasOffset ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(at)) return at;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected --${name} to be an ISO 8601 time with Z or an offset, such as 2026-12-01T08:00:00+01:00, got '${text}'`,
  );
}
