/** The options for the report of a run, and the report that they select. */
import type { Options } from 'yargs';
import { MillraceError } from '../model/errors.js';
import type { Arguments } from './arguments.js';
import { quietReport, type Report } from './report.js';

const value = { type: 'string', requiresArg: true } as const;

export const reportOptions = {
  quiet: { type: 'boolean', describe: 'Print nothing but errors' },
  'no-color': { type: 'boolean', describe: 'Use no colours, also where the terminal has them' },
  json: { type: 'boolean', describe: 'Print events as NDJSON on standard output, the summary as the last line' },
  events: { ...value, describe: 'Where to record the events, as NDJSON (default: in the folder of the run)' },
  log: { ...value, describe: 'Where to log, a file or - for standard output' },
  'log-format': { ...value, describe: 'json (default) or pretty' },
  'log-level': { ...value, describe: 'debug, info (default), warn or error' },
  openlineage: {
    ...value,
    describe: 'Where to send what the run reads and writes: a file, or the URL of an OpenLineage server',
  },
  'metrics-port': {
    ...value,
    describe: 'Serve metrics for Prometheus on this port of 127.0.0.1; 0 selects a free one',
  },
} satisfies Record<string, Options>;

/** The options for stopping a run. */
export const stopOptions = {
  grace: {
    ...value,
    describe:
      'The seconds that a run may take to end after a signal; then it is aborted, and can be resumed (default: 8)',
  },
} satisfies Record<string, Options>;

/** Below the ten seconds after which containers are killed. */
const DEFAULT_GRACE_S = 8;

/** The grace that the arguments name. Throws MILLRACE_USAGE. */
export function graceMsOf(args: Arguments): number {
  return (args.wholeNumber('grace', 0, 86_400) ?? DEFAULT_GRACE_S) * 1000;
}

export async function reportFor(args: Arguments): Promise<Report> {
  if (args.flag('json') && args.text('log') === '-') {
    throw new MillraceError('MILLRACE_USAGE', 'Expected --json or --log -, got both on standard output. Log to a file');
  }
  if (args.flag('quiet') && args.flag('json')) {
    throw new MillraceError('MILLRACE_USAGE', 'Expected --quiet or --json, got both. Remove one');
  }
  if (args.flag('quiet')) return quietReport();
  const { stdout, stderr } = process;
  if (args.flag('json')) return (await import('./json-report.js')).jsonReport(stdout, stderr);
  if (stdout.isTTY && stderr.isTTY && process.env['TERM'] !== 'dumb') {
    return (await import('./live-report.js')).liveReport(stdout, stderr, !args.flag('no-color'));
  }
  const { plainReport } = await import('./plain-report.js');
  return plainReport((lines) => {
    stderr.write(lines);
  });
}
