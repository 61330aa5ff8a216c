/**
 * The place of a job: the folder that relative paths are resolved from, the environment variables that a configuration
 * may use, and the Node.js that loads the workflows. A command passes those of its process.
 */
import { isAbsolute, resolve } from 'node:path';
import type { Secrets } from '../text/secrets.js';

/** The part of a place that paths depend on. */
export interface JobFolder {
  /**
   * The absolute folder that relative paths are resolved from: paths of workflow files, configuration files, runs and
   * dead letters. Paths inside a configuration are opened by tasks, which resolve them from the current folder of the
   * process.
   */
  readonly folder: string;
  /**
   * True if `folder` is the current folder of the process. Relative paths then stay as they were given, in messages and
   * in the files of a run. Default false: relative paths are made absolute.
   */
  readonly isCurrentFolder?: boolean;
}

export interface JobPlace extends JobFolder {
  /** The environment variables for each `${NAME}` in a configuration. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * Receives the secrets of each configuration that is loaded, so that the caller can mask them in its output. Default:
   * each job has its own secrets.
   */
  readonly secrets?: Secrets;
  /** The Node.js that runs the job. */
  readonly node: NodeFacts;
}

export interface NodeFacts {
  /** The absolute path of its executable. It is also used to check the syntax of a file that does not load. */
  readonly path: string;
  /** The version without a `v`, such as 24.11.0. */
  readonly version: string;
}

/** The default folder of kept runs, relative to the folder of a place. */
export const DEFAULT_RUNS_FOLDER = '.millrace/runs';

/** The absolute path. */
export function absolutePath({ folder }: JobFolder, path: string): string {
  return resolve(folder, path);
}

/** The path to open and to show: the given path if it leads to the same file, otherwise the absolute path. */
export function pathFrom(place: JobFolder, path: string): string {
  return place.isCurrentFolder === true || isAbsolute(path) ? path : absolutePath(place, path);
}
