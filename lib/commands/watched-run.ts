/**
 * A run that `run --watch` started, seen from its own process: it reports the files that the next run depends on, and is
 * cancelled when the process that watches asks for it or ends.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadedJob } from '../jobs/load-job.js';

/** The variable that says a process is the run of one that watches. */
export const WATCHED = 'MILLRACE_WATCHED';

/** What a watched run reports: absolute paths. */
export interface WatchedFiles {
  readonly files: readonly string[];
}

/** What the process that watches sends to end a run. */
export const STOP = 'stop';

/**
 * Reports the configuration and the input files of the run, and returns the signal that cancels it; undefined where nobody
 * watches.
 */
export function watchedRun({ workflow, prepared }: LoadedJob): AbortSignal | undefined {
  if (process.env[WATCHED] === undefined || process.send === undefined) return undefined;
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.on('message', (message) => {
    if (message === STOP) stop();
  });
  process.on('disconnect', stop);
  // A listener holds the channel, and with it the process, which has to end with the run.
  process.channel?.unref();
  const { defaultConfig } = workflow.definition;
  const inputs = prepared.declarations
    .flatMap(({ task }) => task.files())
    .filter(({ use }) => use === 'read')
    .map(({ path }) => path);
  const files = [...(defaultConfig === undefined ? [] : [pathOf(defaultConfig)]), ...inputs];
  process.send({ files } satisfies WatchedFiles);
  return stopped.signal;
}

function pathOf(config: URL | string): string {
  return resolve(config instanceof URL || config.startsWith('file:') ? fileURLToPath(config) : config);
}
