/**
 * Where a job works: the folder that relative paths lead from, and the environment variables a configuration may use.
 * A command passes those of its process; a server passes the ones it was set up with.
 */
import { isAbsolute, resolve } from 'node:path';

export interface JobPlace {
  /**
   * The absolute folder that relative paths lead from: those of workflow files, configuration files, runs and dead
   * letters. Paths inside a configuration are opened by tasks, which resolve them from the current folder of the process.
   */
  readonly folder: string;
  /**
   * True where `folder` is the current folder of the process. Relative paths then stay as they were given, in messages
   * and in what is kept of a run. Default false: they are made absolute.
   */
  readonly isCurrentFolder?: boolean;
  /** What `${NAME}` in a configuration stands for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Where runs are kept by default, from the folder of a place. */
export const DEFAULT_RUNS_FOLDER = '.millrace/runs';

/** The absolute path. */
export function absolutePath({ folder }: JobPlace, path: string): string {
  return resolve(folder, path);
}

/** The path to open and to show: as given where that leads to the same file. */
export function pathFrom(place: JobPlace, path: string): string {
  return place.isCurrentFolder === true || isAbsolute(path) ? path : absolutePath(place, path);
}
