/** The watchers of a run that the options of the command line select. */
import { MillraceError } from '../model/errors.js';
import type { WatchOptions } from '../jobs/watch-run.js';
import type { Arguments } from './arguments.js';

/** The watchers that the arguments select. Throws MILLRACE_USAGE. */
export function watchOptionsFrom(args: Arguments): WatchOptions {
  const lineage = args.text('openlineage');
  return {
    events: args.text('events'),
    metricsPort: args.wholeNumber('metrics-port', 0, 65_535),
    isKept: !args.flag('ephemeral'),
    log: logFrom(args),
    // The name of the variable that clients of OpenLineage use.
    lineage: lineage === undefined ? undefined : { to: lineage, apiKey: process.env['OPENLINEAGE_API_KEY'] },
  };
}

function logFrom(args: Arguments): WatchOptions['log'] {
  const path = args.text('log');
  const format = args.oneOf('log-format', ['json', 'pretty']);
  const level = args.oneOf('log-level', ['debug', 'info', 'warn', 'error']);
  if (path !== undefined) {
    return { to: path === '-' ? process.stdout : path, ...(format && { format }), ...(level && { level }) };
  }
  if (format === undefined && level === undefined) return undefined;
  throw new MillraceError('MILLRACE_USAGE', 'Expected --log with --log-format or --log-level. Write --log <file>');
}
