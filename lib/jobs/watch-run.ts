/**
 * The watchers of a run beside its report: the recording of its events, its log, its lineage, and the metrics for
 * Prometheus.
 *
 * Guarantees: a port or file that cannot be opened is an error before the run starts; a kept run is recorded in its
 * folder, and a run that resumes continues its recording; a recording that fails does not affect the run.
 */
import type { Writable } from 'node:stream';
import { takeWhile } from 'rxjs';
import type { Run } from '../runtime/run/run.js';
import type { RunFolder } from '../storage/run-folder.js';
import { logEvents } from '../observe/log-events.js';
import type { Log, LogOptions } from '../observe/log-file.js';
import type { MetricsServer } from '../observe/metrics-server.js';
import { pathFrom, type JobPlace } from './place.js';

/** The watchers to open. A watcher without its option stays off. */
export interface WatchOptions {
  /** The file for the events. Default: a file in the folder of the run, if it has one. */
  readonly events?: string | undefined;
  /** True if the run has a folder. */
  readonly isKept: boolean;
  /** The port of 127.0.0.1 to serve metrics on; 0 for a free one. */
  readonly metricsPort?: number | undefined;
  /** The log: a path, or a stream, which is not closed at the end. */
  readonly log?: ({ readonly to: string | Writable } & LogOptions) | undefined;
  /** The receiver of lineage: a path, or the URL of an OpenLineage server. */
  readonly lineage?: { readonly to: string; readonly apiKey: string | undefined } | undefined;
}

export interface RunWatchers {
  /** Must be called in the turn in which the run was created, so that no event is missed. */
  start(run: Pick<Run, 'events$' | 'notice'>, folder: RunFolder | undefined): void;
  /** Resolves when everything is written and closed, with the errors of the watchers that failed. */
  end(): Promise<readonly unknown[]>;
}

/**
 * Opens the watchers. Throws MILLRACE_USAGE or MILLRACE_FILE if a port or file cannot be opened. Loads only the code
 * that the options need.
 */
export async function watchersFor(options: WatchOptions, place: JobPlace): Promise<RunWatchers> {
  const { isKept, metricsPort, lineage: lineageOptions } = options;
  const events = options.events === undefined ? undefined : pathFrom(place, options.events);
  if (events !== undefined) await (await import('../storage/replaceable-file.js')).assertForEvents(events);
  const { openLineage, assertTarget } = lineageOptions === undefined ? {} : await import('../observe/send-lineage.js');
  const lineageTo =
    lineageOptions && (isUrl(lineageOptions.to) ? lineageOptions.to : pathFrom(place, lineageOptions.to));
  if (lineageTo !== undefined) {
    place.secrets?.addText(lineageTo);
    place.secrets?.addUnder('apiKey', lineageOptions?.apiKey);
    assertTarget?.(lineageTo);
  }
  const { eventFile } = isKept || events !== undefined ? await import('../storage/event-file.js') : {};
  const log = await openLog(options, place);
  const server = await serverFor(metricsPort).catch(async (error: unknown) => {
    await log?.close();
    throw error;
  });
  let recording: Promise<unknown> | undefined;
  let lineage: Promise<void> | undefined;
  return {
    start: (run, folder) => {
      const path = events ?? folder?.file('events.ndjson');
      // A process that was replaced must not write into the recording of its successor.
      const own$ = folder === undefined ? run.events$ : run.events$.pipe(takeWhile(() => folder.isOwned));
      if (path !== undefined) recording = eventFile?.(own$, path, { append: path !== events });
      if (log !== undefined) logEvents(run.events$, log.logger);
      if (lineageTo !== undefined) {
        lineage = openLineage?.(run.events$, lineageTo, { apiKey: lineageOptions?.apiKey });
      }
      if (server === undefined) return;
      server.observe(run.events$);
      run.notice(`Metrics at ${server.url}`);
    },
    end: async () => {
      await server?.close();
      const outcomes = await Promise.allSettled([recording, lineage, log?.close()]);
      return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    },
  };
}

function isUrl(target: string): boolean {
  return /^[a-z][a-z\d+.-]*:\/\//i.test(target);
}

async function serverFor(port: number | undefined): Promise<MetricsServer | undefined> {
  if (port === undefined) return undefined;
  return (await import('../observe/metrics-server.js')).serveMetrics(port);
}

/** Loads pino only if a log was requested. */
async function openLog({ log }: WatchOptions, place: JobPlace): Promise<Log | undefined> {
  if (log === undefined) return undefined;
  const { to, ...options } = log;
  const { openLogFile, openLogStream } = await import('../observe/log-file.js');
  return typeof to === 'string' ? openLogFile(pathFrom(place, to), options) : openLogStream(to, options);
}
