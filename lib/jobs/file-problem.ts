/**
 * Why a file that a user named cannot be used, in a sentence with the fix.
 *
 * Guarantees: the sentence names the file as it was given, and the file of nearly the same name beside it, if there is one.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeThrown } from '../model/errors.js';
import { nearest } from '../text/nearest.js';

/** A file, for the file system and for people. */
export interface NamedFile {
  /** Absolute. */
  readonly path: string;
  /** As messages call it. */
  readonly shown: string;
}

/** What is wrong with the file, which is `what` ("config file"); undefined where it is a file. */
export function fileProblem(what: string, file: NamedFile): string | undefined {
  const { shown, path } = file;
  try {
    if (statSync(path).isDirectory()) return `The ${what} ${shown} is a folder. Name a file in it`;
    return undefined;
  } catch (error) {
    return whyUnreadable(what, file, error);
  }
}

/** What an error of the file system says about the file. */
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
