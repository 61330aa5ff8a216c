/**
 * Finds files that have arrived. Folders are read at intervals, because notifications of the file system may be lost,
 * and do not exist on network drives.
 *
 * Guarantees: a file is reported when its size and its time of change were the same in two looks, and again only after
 * it has changed; links, folders, pipes and empty files are never reported; a look reads at most `MOST_ENTRIES` entries
 * of a folder, and remembers only files that exist.
 */
import { lstat, opendir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { codeOf, describeThrown } from '../../model/errors.js';

/** A file that has arrived. */
export interface Arrival {
  /** Absolute. */
  readonly path: string;
  /** Names this file with this content. */
  readonly key: string;
}

export interface Look {
  readonly arrivals: readonly Arrival[];
  /** The reason why some files could not be found, in one sentence; '' if there is none. */
  readonly problem: string;
}

export const MOST_ENTRIES = 10_000;

interface Seen {
  readonly key: string;
  isReported: boolean;
}

export class Arrivals {
  private readonly folder: string;
  private readonly pattern: string;
  private seen = new Map<string, Seen>();

  /** @param folder absolute; @param files the pattern of a path, whose last part may have `*` and `?`. */
  constructor(folder: string, files: string) {
    this.folder = resolve(folder, dirname(files));
    this.pattern = basename(files);
  }

  /** The files that have arrived since the last look. Report them with `acknowledge`, or they are found again. */
  async look(): Promise<Look> {
    const now = new Map<string, Seen>();
    const arrivals: Arrival[] = [];
    let problem = '';
    try {
      let entries = 0;
      for await (const item of await opendir(this.folder)) {
        if (++entries > MOST_ENTRIES) {
          problem = `${this.folder} has more than ${MOST_ENTRIES} entries, and the others are not seen. Move files away`;
          break;
        }
        if (!item.isFile() || !matchesName(item.name, this.pattern)) continue;
        const path = join(this.folder, item.name);
        const facts = await lstat(path).catch(() => undefined);
        if (facts?.isFile() !== true || facts.size === 0) continue;
        const key = `${path}\n${facts.size}\n${facts.mtimeMs}`;
        const before = this.seen.get(path);
        const isStable = before?.key === key;
        now.set(path, isStable ? before : { key, isReported: false });
        if (isStable && !before.isReported) arrivals.push({ path, key });
      }
    } catch (error) {
      problem = `${this.folder} cannot be read: ${codeOf(error) === 'ENOENT' ? 'it does not exist' : describeThrown(error)}`;
    }
    this.seen = now;
    arrivals.sort((one, other) => (one.path < other.path ? -1 : 1));
    return { arrivals, problem };
  }

  /** Called when the run for a file was queued. */
  acknowledge({ path, key }: Arrival): void {
    const seen = this.seen.get(path);
    if (seen?.key === key) seen.isReported = true;
  }
}

/**
 * Whether a name matches a pattern of `*` and `?`, in time proportional to the product of their lengths. Names that
 * begin with a dot match only a pattern that does.
 */
export function matchesName(name: string, pattern: string): boolean {
  if (name.startsWith('.') !== pattern.startsWith('.')) return false;
  let [at, place] = [0, 0];
  // The position of the last star, and the position in the name up to which it has matched.
  let [star, tried] = [-1, 0];
  while (at < name.length) {
    if (pattern[place] === '*') {
      star = place++;
      tried = at;
    } else if (place < pattern.length && (pattern[place] === '?' || pattern[place] === name[at])) {
      at++;
      place++;
    } else if (star >= 0) {
      place = star + 1;
      at = ++tried;
    } else return false;
  }
  while (pattern[place] === '*') place++;
  return place === pattern.length;
}
