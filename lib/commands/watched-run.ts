/**
 * A run that `run --watch` started, in its own process: it reports the files that the next run depends on, and is
 * cancelled when the watching process requests it or ends.
 */
import { filesReadBy, type LoadedJob } from '../jobs/load-job.js';
import type { JobPlace } from '../jobs/place.js';

/** The environment variable that marks a process as a run of `run --watch`. */
export const WATCHED = 'MILLRACE_WATCHED';

/** The message of a watched run: absolute paths. */
export interface WatchedFiles {
  readonly files: readonly string[];
}

/** The key of a message with the number of signals that the watching process has received. It also has `signal`. */
export const PRESSES = 'presses';

/** The message with which the watching process ends a run. */
export const STOP = 'stop';

/**
 * Reports the configuration and the input files of the run, and returns the signal that cancels it; undefined if the
 * process is not a run of `run --watch`.
 */
export function watchedRun(job: LoadedJob, place: JobPlace): AbortSignal | undefined {
  if (process.env[WATCHED] === undefined || process.send === undefined) return undefined;
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.on('message', (message) => {
    if (message === STOP) stop();
  });
  process.on('disconnect', stop);
  // Without this, the listeners would keep the channel open, and the process alive after the end of the run.
  process.channel?.unref();
  process.send({ files: filesReadBy(job, place) } satisfies WatchedFiles);
  return stopped.signal;
}
