/**
 * What watches a run beside its report: the recording of its events, its log, its lineage, and the metrics for Prometheus. A run that
 * is kept is recorded in its folder; where it goes on, so does the recording.
 */
import { MillraceError } from '../model/errors.js';
import type { Run } from '../runtime/run/run.js';
import type { RunFolder } from '../storage/run-folder.js';
import { logEvents } from '../observe/log-events.js';
import type { Log } from '../observe/log-file.js';
import type { MetricsServer } from '../observe/metrics-server.js';
import type { Arguments } from './arguments.js';
import { explainError } from './explain-error.js';

export interface RunWatchers {
  /** Call in the turn the run was made: no event may be missed. */
  start(run: Pick<Run, 'events$' | 'notice'>, folder: RunFolder | undefined): void;
  /** Resolves when all is written and closed. A recording that broke is told, and changes nothing about the run. */
  end(): Promise<void>;
}

/** Throws MILLRACE_USAGE or MILLRACE_FILE where a port or file cannot be had; loads only what was asked for. */
export async function watchersFor(args: Arguments): Promise<RunWatchers> {
  const events = args.text('events');
  const port = args.wholeNumber('metrics-port', 0, 65_535);
  const isKept = !args.flag('ephemeral');
  if (events !== undefined) await (await import('../storage/replaceable-file.js')).assertForEvents(events);
  const lineageTo = args.text('openlineage');
  const { openLineage, assertTarget } = lineageTo === undefined ? {} : await import('../observe/send-lineage.js');
  if (lineageTo !== undefined) assertTarget?.(lineageTo);
  const { eventFile } = isKept || events !== undefined ? await import('../storage/event-file.js') : {};
  const log = await logFor(args);
  const server = await serverFor(port).catch(async (error: unknown) => {
    await log?.close();
    throw error;
  });
  let recording: Promise<unknown> | undefined;
  let lineage: Promise<void> | undefined;
  return {
    start: (run, folder) => {
      const path = events ?? folder?.file('events.ndjson');
      if (path !== undefined) recording = eventFile?.(run.events$, path, { append: path !== events });
      if (log !== undefined) logEvents(run.events$, log.logger);
      if (lineageTo !== undefined) {
        // The name that clients of OpenLineage use.
        lineage = openLineage?.(run.events$, lineageTo, { apiKey: process.env['OPENLINEAGE_API_KEY'] });
      }
      if (server === undefined) return;
      server.observe(run.events$);
      run.notice(`Metrics at ${server.url}`);
    },
    end: async () => {
      await server?.close();
      for (const outcome of await Promise.allSettled([recording, lineage, log?.close()])) {
        if (outcome.status === 'fulfilled') continue;
        process.stderr.write(`${explainError(outcome.reason, args.flag('debug'))}\n`);
      }
    },
  };
}

async function serverFor(port: number | undefined): Promise<MetricsServer | undefined> {
  if (port === undefined) return undefined;
  return (await import('../observe/metrics-server.js')).serveMetrics(port);
}

/** Loads pino only where a log was asked for. */
async function logFor(args: Arguments): Promise<Log | undefined> {
  const path = args.text('log');
  const format = args.oneOf('log-format', ['json', 'pretty']);
  const level = args.oneOf('log-level', ['debug', 'info', 'warn', 'error']);
  if (path === undefined) {
    if (format === undefined && level === undefined) return undefined;
    throw new MillraceError('MILLRACE_USAGE', 'Expected --log with --log-format or --log-level. Write --log <file>');
  }
  const { openLogFile, openLogStream } = await import('../observe/log-file.js');
  const options = { ...(format && { format }), ...(level && { level }) };
  return path === '-' ? openLogStream(process.stdout, options) : openLogFile(path, options);
}
