/**
 * Reports changes of files. It watches their folders, because editors replace files, and a watch on a replaced file
 * would end.
 *
 * Guarantees: changes that come close together are reported once; a file counts as changed only if its time, size or
 * identity differs, not because of an event alone; a report is late by at most MAX_DELAY_MS. A folder that does not
 * exist is not watched.
 */
import { existsSync, statSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeThrown, MillraceError } from '../model/errors.js';

/** The time without changes before a report. */
const QUIET_MS = 100;
/** The longest wait before a report, for files that change all the time. */
const MAX_DELAY_MS = 1000;

export class FileChanges {
  private readonly onChange: (paths: readonly string[]) => void;
  /** The watchers by folder. */
  private readonly watchers = new Map<string, FSWatcher>();
  /** The last seen state of each file, by its absolute path. */
  private readonly states = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private firstEventAtMs = 0;

  /** `onChange` is called with the paths of the changed files, at least one. */
  constructor(onChange: (paths: readonly string[]) => void) {
    this.onChange = onChange;
  }

  /** The number of watched files. */
  get size(): number {
    return this.states.size;
  }

  /** Watches these files too, given by absolute paths. Throws MILLRACE_FILE if the system refuses. */
  add(paths: Iterable<string>): void {
    for (const path of paths) {
      const folder = dirname(path);
      if (!existsSync(folder)) continue;
      if (!this.watchers.has(folder)) this.watchers.set(folder, this.watchFolder(folder));
      if (!this.states.has(path)) this.states.set(path, stateOf(path));
    }
  }

  close(): void {
    clearTimeout(this.timer);
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
    this.states.clear();
  }

  private watchFolder(folder: string): FSWatcher {
    try {
      const watcher = watch(folder, (_event, name) => {
        // Some systems do not name the changed file.
        if (name === null || this.states.has(join(folder, basename(name)))) this.lookSoon();
      });
      // The folder is gone. It is watched again when a file in it is added again.
      watcher.on('error', () => {
        watcher.close();
        this.watchers.delete(folder);
        this.lookSoon();
      });
      return watcher;
    } catch (error) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot watch the folder ${folder}: ${describeThrown(error)}. Run without --watch`,
        { cause: error },
      );
    }
  }

  private lookSoon(): void {
    const now = performance.now();
    if (this.timer === undefined) this.firstEventAtMs = now;
    clearTimeout(this.timer);
    const delay = Math.min(QUIET_MS, Math.max(0, this.firstEventAtMs + MAX_DELAY_MS - now));
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, delay);
  }

  private look(): void {
    const changed: string[] = [];
    for (const [path, before] of this.states) {
      const state = stateOf(path);
      if (state === before) continue;
      this.states.set(path, state);
      changed.push(path);
    }
    if (changed.length > 0) this.onChange(changed);
  }
}

function stateOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'not there';
  }
}
