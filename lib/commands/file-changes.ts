/**
 * Reports that files changed, by the events of their folders: editors replace files, and what is watched must survive that.
 *
 * Guarantees: changes that come close together are reported once; a file counts as changed where its time, size or identity
 * differs, so that an event alone is no change; a report is late by at most MAX_DELAY_MS. A folder that does not exist is
 * not watched.
 */
import { existsSync, statSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeThrown, MillraceError } from '../model/errors.js';

/** Nothing must change for this long before a report. */
const QUIET_MS = 100;
/** Files that never come to rest are reported all the same. */
const MAX_DELAY_MS = 1000;

export class FileChanges {
  private readonly onChange: (paths: readonly string[]) => void;
  /** By folder. */
  private readonly watchers = new Map<string, FSWatcher>();
  /** What each file was like when it was last looked at, by its absolute path. */
  private readonly states = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private firstEventAtMs = 0;

  /** `onChange` gets the paths of what changed, never none. */
  constructor(onChange: (paths: readonly string[]) => void) {
    this.onChange = onChange;
  }

  /** How many files are watched. */
  get size(): number {
    return this.states.size;
  }

  /** Watches these files too, given by absolute paths. Throws MILLRACE_FILE where the system refuses. */
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
        // Some systems do not say which file it is.
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
