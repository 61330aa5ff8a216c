/**
 * Explains why a file that a user named cannot be used, in a sentence with the fix.
 *
 * Guarantees: the sentence names the file as it was given and, if there is one, the file of nearly the same name beside
 * it.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeThrown } from '../model/errors.js';
import { nearest } from '../text/nearest.js';

/** A file, with one path for the file system and one for people. */
export interface NamedFile {
  /** Absolute. */
  readonly path: string;
  /** The path in messages. */
  readonly shown: string;
}

/** The problem with the file; undefined if it is a file. `what` is its role in the message, such as "config file". */
export function fileProblem(what: string, file: NamedFile): string | undefined {
  const { shown, path } = file;
  try {
    if (statSync(path).isDirectory()) return `The ${what} ${shown} is a folder. Name a file in it`;
    return undefined;
  } catch (error) {
    return whyUnreadable(what, file, error);
  }
}

/** The problem with the file, from an error of the file system. */
export function whyUnreadable(what: string, { shown, path }: NamedFile, error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR': {
      const near = neighbour(shown, path);
      const fix = near === undefined ? 'Check the path' : `Did you mean ${near}?`;
      return `There is no ${what} ${shown} (looked in ${dirname(path)}). ${fix}`;
    }
    case 'EISDIR':
      return `The ${what} ${shown} is a folder. Name a file in it`;
    case 'EACCES':
    case 'EPERM':
      return `The ${what} ${shown} may not be read by this user. Give read permission (chmod u+r), or name another file`;
    default:
      return `The ${what} ${shown} cannot be read: ${describeThrown(error)}. Check the path`;
  }
}

function neighbour(shown: string, path: string): string | undefined {
  try {
    const near = nearest(basename(path), readdirSync(dirname(path)));
    if (near === undefined) return undefined;
    const found = join(dirname(shown), near);
    return shown.startsWith('./') ? `./${found}` : found;
  } catch {
    return undefined;
  }
}
