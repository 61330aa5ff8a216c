/**
 * Why a file that somebody named cannot be used, in a sentence with the fix. Promise: the sentence names the file as it
 * was given, and where a file of nearly that name stands beside it, that one.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describeThrown } from '../model/errors.js';
import { nearest } from '../text/nearest.js';

/** What is wrong with `path`, which is `what` ("config file"); undefined where it is a file. */
export function fileProblem(what: string, path: string): string | undefined {
  try {
    if (statSync(path).isDirectory()) return `The ${what} ${path} is a folder. Name a file in it`;
    return undefined;
  } catch (error) {
    return whyUnreadable(what, path, error);
  }
}

/** What an error of the file system says about `path`. */
export function whyUnreadable(what: string, path: string, error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR': {
      const near = neighbour(path);
      const fix = near === undefined ? 'Check the path' : `Did you mean ${near}?`;
      return `There is no ${what} ${path} (looked in ${dirname(resolve(path))}). ${fix}`;
    }
    case 'EISDIR':
      return `The ${what} ${path} is a folder. Name a file in it`;
    case 'EACCES':
    case 'EPERM':
      return `The ${what} ${path} may not be read by this user. Give read permission (chmod u+r), or name another file`;
    default:
      return `The ${what} ${path} cannot be read: ${describeThrown(error)}. Check the path`;
  }
}

function neighbour(path: string): string | undefined {
  try {
    const folder = dirname(path);
    const near = nearest(basename(path), readdirSync(folder));
    if (near === undefined) return undefined;
    const found = join(folder, near);
    return path.startsWith('./') ? `./${found}` : found;
  } catch {
    return undefined;
  }
}
