/**
 * Determines the file that a path leads to.
 *
 * Guarantees: it changes and opens nothing. An existing file has the same identity under each of its names, symbolic
 * and hard links included. A missing file is identified by the place that its path leads to.

 */
import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { TouchedFile } from '../model/touched-file.js';

/** The most links that are followed, as in operating systems (symlink(7)). */
export const MOST_LINKS = 40;

/** The file at this path, as tasks and stores declare it. */
export function touchedFile(path: string, use: TouchedFile['use'], onTheWayTo?: string): TouchedFile {
  const identity = identityOf(path);
  return {
    path: resolve(path),
    given: path,
    use,
    ...(identity === undefined ? {} : { identity }),
    ...(onTheWayTo === undefined ? {} : { onTheWayTo: resolve(onTheWayTo) }),
  };
}

/** Undefined for anything but a regular file: a terminal, a pipe or `/dev/null` holds nothing that could be lost. */
function identityOf(path: string): string | undefined {
  try {
    const facts = statSync(path, { bigint: true });
    return facts.isFile() ? `${facts.dev}:${facts.ino}` : undefined;
  } catch {
    // The file is missing or inaccessible. The code that reads or writes it will report why.
    return whereItLeads(resolve(path));
  }
}

/** The path without links, as far as it exists, even through a link to a missing file. */
export function whereItLeads(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    if (folder === path || links === MOST_LINKS) return path;
    const place = join(whereItLeads(folder, links), basename(path));
    const target = linkAt(place);
    return target === undefined ? place : whereItLeads(resolve(dirname(place), target), links + 1);
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
