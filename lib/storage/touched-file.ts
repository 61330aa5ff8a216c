/**
 * Which file a path leads to. Promises: looking changes nothing and opens nothing; a file that is there is known under
 * every name it has, by symbolic and by hard links; one that is not there yet, by where its path leads.
 */
import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { TouchedFile } from '../model/touched-file.js';

/** As many as systems follow (symlink(7)). */
const MOST_LINKS = 40;

/** The file at this path, as what touches it must say. */
export function touchedFile(path: string, use: TouchedFile['use'], onTheWayTo?: string): TouchedFile {
  const identity = identityOf(path);
  return {
    path: resolve(path),
    use,
    ...(identity === undefined ? {} : { identity }),
    ...(onTheWayTo === undefined ? {} : { onTheWayTo: resolve(onTheWayTo) }),
  };
}

/** Undefined for what is no regular file: a terminal, a pipe and `/dev/null` hold nothing that could be lost. */
function identityOf(path: string): string | undefined {
  try {
    const facts = statSync(path, { bigint: true });
    return facts.isFile() ? `${facts.dev}:${facts.ino}` : undefined;
  } catch {
    // Not there, or not to be seen: whoever reads or writes it will say why.
    return whereItLeads(resolve(path));
  }
}

/** The path without links, as far as it exists; also through a link whose file is not there yet. */
function whereItLeads(path: string, links = 0): string {
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
