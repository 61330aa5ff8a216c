/**
 * The store of remembered outputs in a folder: one file per output.
 *
 * ```
 * <folder>/3f/3f9a….json        the folder of an entry is the beginning of its key
 * ```
 *
 * Guarantees: a file appears whole or not at all, so several runs and processes may share a folder. The files need at
 * most about `maxBytes` on the disk: the oldest are removed. Only the user who made the folder can read it.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { MillraceError } from '../model/errors.js';
import type { MemoStore } from '../model/memo.js';
import { checkText, count, resolveOptions, type OptionRules, type OptionTable } from '../options/options.js';
import { factsOf } from '../storage/facts-of.js';
import { fileError, systemCodeOf } from '../storage/file-errors.js';
import { makeFolder } from '../storage/make-folder.js';

/** Options of `memoFolder`. */
export interface MemoFolderOptions {
  /**
   * The most bytes on the disk, with each file rounded up to 4 KiB. Above this, the oldest outputs are removed until
   * nine tenths remain. Runs that write at the same time count their own files only: a run counts the files of the
   * others at its first write and when it removes outputs. Default 1 GiB.
   */
  readonly maxBytes?: number;
}

const RULES: OptionRules<MemoFolderOptions> = { maxBytes: count() };
const DEFAULTS = { maxBytes: 2 ** 30 };
const TABLE: OptionTable<MemoFolderOptions, typeof DEFAULTS> = {
  name: 'a memo folder',
  rules: RULES,
  defaults: DEFAULTS,
};

/** These functions need half the time of those of `node:fs/promises`, which read in pieces. */
const readFile = promisify(fs.readFile);
const writeFile = promisify(fs.writeFile);

const BLOCK_BYTES = 4096;
/** The share of `maxBytes` that remains after a removal. */
const KEPT_SHARE = 0.9;
/** A temporary file that is older than this, in milliseconds, belongs to a process that has died. */
const STALE_MS = 3_600_000;

interface Entry {
  readonly path: string;
  readonly bytes: number;
  readonly at: number;
}

/**
 * Remembers outputs in a folder, which is made with mode 0700 if it does not exist. Throws MILLRACE_INVALID_OPTION for
 * options that do not fit. A run fails with MILLRACE_FILE if other users may use the folder, or it cannot be written.
 *
 * @example syncTask(parse, { memo: { store: memoFolder('./memo'), module: import.meta.url } })
 */
export function memoFolder(path: string, options: MemoFolderOptions = {}): MemoStore {
  checkText('the path of a memo folder', path);
  return new MemoFolder(path, resolveOptions(TABLE, options).maxBytes);
}

class MemoFolder implements MemoStore {
  readonly location: string;
  private readonly folder: string;
  private readonly maxBytes: number;
  /** Bytes on the disk; 0 until they are counted. */
  private bytes = 0;
  private counting: Promise<void> | undefined;
  private removing: Promise<void> | undefined;

  constructor(path: string, maxBytes: number) {
    this.location = path;
    this.folder = resolve(path);
    this.maxBytes = maxBytes;
  }

  async open(): Promise<void> {
    try {
      makeFolder(this.folder, 0o700);
    } catch (error) {
      throw fileError('write', this.folder, error, 'outputs');
    }
    await this.check();
  }

  async check(): Promise<void> {
    const facts = await factsOf(this.folder).catch((error: unknown) => {
      throw fileError('write', this.folder, error, 'outputs');
    });
    if (facts === undefined) return;
    if (!facts.isDirectory()) {
      throw new MillraceError('MILLRACE_FILE', `Cannot keep outputs in ${this.folder}: it is no folder. Name another`);
    }
    if (process.platform === 'win32' || (facts.mode & 0o077) === 0) return;
    const mode = (facts.mode & 0o777).toString(8);
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot keep outputs in ${this.folder}: other users may use it (mode ${mode}), and outputs may hold secrets. Run chmod 700 on it, or name a folder that does not exist`,
    );
  }

  async get(key: string): Promise<string | undefined> {
    try {
      return await readFile(this.pathOf(key), 'utf8');
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return undefined;
      throw fileError('read', this.pathOf(key), error, 'an output');
    }
  }

  async put(key: string, entry: string): Promise<void> {
    await (this.counting ??= this.countFiles());
    await this.removing;
    const path = this.pathOf(key);
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await this.write(temporary, entry);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw fileError('write', path, error, 'an output');
    }
    await this.account(onDisk(Buffer.byteLength(entry)));
  }

  private pathOf(key: string): string {
    return join(this.folder, key.slice(0, 2), `${key}.json`);
  }

  private async write(path: string, entry: string): Promise<void> {
    const options = { mode: 0o600, flag: 'wx' } as const;
    try {
      await writeFile(path, entry, options);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      makeFolder(dirname(path), 0o700);
      await writeFile(path, entry, options);
    }
  }

  private async countFiles(): Promise<void> {
    this.bytes = sizeOf(await this.entries());
  }

  /** Counts a new file, also one that replaces another, and waits for the removal that it makes necessary. */
  private async account(bytes: number): Promise<void> {
    this.bytes += bytes;
    if (this.bytes <= this.maxBytes) return;
    this.removing ??= this.removeOldest().finally(() => {
      this.removing = undefined;
    });
    await this.removing;
  }

  private async removeOldest(): Promise<void> {
    const before = this.bytes;
    const entries = (await this.entries()).sort((a, b) => a.at - b.at);
    let left = sizeOf(entries);
    for (const { path, bytes } of entries) {
      if (left <= this.maxBytes * KEPT_SHARE) break;
      // Another process may have removed it.
      await rm(path, { force: true });
      left -= bytes;
    }
    // Files that were written in the meantime may be counted twice: the folder then stays below its limit.
    this.bytes = left + (this.bytes - before);
  }

  /** Lists the files of the folder. Removes temporary files of processes that have died. */
  private async entries(): Promise<Entry[]> {
    const found: Entry[] = [];
    for (const folder of await namesIn(this.folder)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const name of await namesIn(join(this.folder, folder))) {
        const path = join(this.folder, folder, name);
        const facts = await stat(path).catch(() => undefined);
        if (facts?.isFile() !== true) continue;
        if (name.endsWith('.tmp')) {
          if (Date.now() - facts.mtimeMs > STALE_MS) await rm(path, { force: true });
        } else if (name.endsWith('.json')) found.push({ path, bytes: onDisk(facts.size), at: facts.mtimeMs });
      }
    }
    return found;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

function onDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}
