/**
 * What watches a run beside its report: the recording of its events and the metrics for Prometheus. A run that is kept is
 * recorded in its folder; where it goes on, so does the recording.
 */
import type { Run } from '../runtime/run.js';
import type { RunFolder } from '../storage/run-folder.js';
import type { Arguments } from './arguments.js';
import { explainError } from './explain-error.js';

export interface RunWatchers {
  /** Call in the turn the run was made: no event may be missed. */
  start(run: Pick<Run, 'events$' | 'notice'>): void;
  /** Resolves when all is written and closed. A recording that broke is told, and changes nothing about the run. */
  end(): Promise<void>;
}

/** Throws MILLRACE_USAGE where the port cannot be had; loads only what was asked for. */
export async function watchersFor(args: Arguments, folder: RunFolder | undefined): Promise<RunWatchers> {
  const path = args.text('events') ?? folder?.file('events.ndjson');
  const port = args.wholeNumber('metrics-port', 0);
  const { eventFile } = path === undefined ? {} : await import('../storage/event-file.js');
  const server =
    port === undefined ? undefined : await (await import('../telemetry/metrics-server.js')).serveMetrics(port);
  let recording: Promise<unknown> | undefined;
  return {
    start: (run) => {
      if (path !== undefined) recording = eventFile?.(run.events$, path, { append: path !== args.text('events') });
      if (server === undefined) return;
      server.observe(run.events$);
      run.notice(`Metrics at ${server.url}`);
    },
    end: async () => {
      await server?.close();
      try {
        await recording;
      } catch (error) {
        process.stderr.write(`${explainError(error, args.flag('debug'))}\n`);
      }
    },
  };
}
