/**
 * The place of a Parquet file and its parts: beside each other on the disk, or in a store with copies on the disk.
 *
 * Guarantees: a part that was kept survives a loss of power. The result appears as a whole.
 */
import { chmod, copyFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MillraceError } from '../../connect/index.js';
import {
  assertForRows,
  assertOwnFile,
  claimFile,
  fileError,
  lookAtResult,
  syncFolder,
  type FilePlace,
  type FileStore,
  type RowFileKind,
} from '../../connect/files.js';
import { download, newCopyFolder, upload, type CopyFolder } from '../files/local-copy.js';
import { assertForRowsIn } from '../files/stored-result.js';
import { syncFile } from './sync-file.js';

/** The kind of existing files that may be replaced. */
const KIND: RowFileKind = {
  names: /\.parquet$/i,
  ending: '.parquet',
  isKnownBy: (head) => head.startsWith('PAR1'),
};

export interface ParquetPlace {
  /** The path of the result. The paths of its parts begin with it. */
  readonly end: string;
  /** Whether the part exists. */
  has(part: string): Promise<boolean>;
  /** The paths of all files whose names begin with that of the result. */
  siblings(): Promise<readonly string[]>;
  remove(part: string): Promise<void>;
  /** The path on the disk at which a part can be written, or read if it exists. */
  local(part: string): Promise<string>;
  /** Makes a part durable after it was written to its local path. */
  keep(part: string): Promise<void>;
  /** A path on the disk at which the result can be read; undefined if there is none. */
  localResult(): Promise<string | undefined>;
  /** Copies the file at this local path as a part, and makes the part durable. */
  adopt(local: string, part: string): Promise<void>;
  /** Writes the result and gives it its name. */
  publish(write: (local: string) => Promise<void>): Promise<void>;
  /** Throws MILLRACE_LOCKED once another process writes the result. */
  assertHeld(): void;
  release(): Promise<void>;
}

/** Throws MILLRACE_FILE if no Parquet file can be written to the path, MILLRACE_LOCKED if another process writes it. */
export async function openParquetPlace(
  path: string,
  store: FileStore | undefined,
  { isNew, signal }: { readonly isNew: boolean; readonly signal: AbortSignal },
): Promise<ParquetPlace> {
  if (store !== undefined) {
    if (isNew) await assertForRowsIn(store, path, KIND);
    return new StoredPlace(path, store, await newCopyFolder(), signal);
  }
  const place = await placeOf(path, isNew);
  return new DiskPlace(place, await claimFile(`${place.path}.part`));
}

class DiskPlace implements ParquetPlace {
  private readonly place: FilePlace;
  private readonly claim: Awaited<ReturnType<typeof claimFile>>;

  constructor(place: FilePlace, claim: Awaited<ReturnType<typeof claimFile>>) {
    this.place = place;
    this.claim = claim;
  }

  get end(): string {
    return this.place.path;
  }

  has(part: string): Promise<boolean> {
    return stat(part).then(
      (facts) => facts.isFile(),
      () => false,
    );
  }

  async siblings(): Promise<readonly string[]> {
    const own = basename(this.end);
    // The folder as the path of the result spells it: a folder has several spellings, such as './out' and 'out/.'.
    const folder = this.end.slice(0, this.end.length - own.length);
    const names = await readdir(dirname(this.end));
    return names.filter((name) => name.startsWith(own)).map((name) => folder + name);
  }

  remove(part: string): Promise<void> {
    return rm(part, { force: true });
  }

  local(part: string): Promise<string> {
    return Promise.resolve(part);
  }

  async keep(part: string): Promise<void> {
    await syncFile(part);
    await syncFolder(dirname(part));
  }

  async localResult(): Promise<string | undefined> {
    return (await this.has(this.end)) ? this.end : undefined;
  }

  async adopt(local: string, part: string): Promise<void> {
    await copyFile(local, part, constants.COPYFILE_FICLONE);
    await this.keep(part);
  }

  async publish(write: (local: string) => Promise<void>): Promise<void> {
    const { path, mode } = this.place;
    const whole = `${path}.part`;
    this.assertHeld();
    await assertOwnFile(whole);
    await write(whole);
    if (mode !== undefined) await chmod(whole, mode);
    await syncFile(whole);
    this.assertHeld();
    await rename(whole, path);
    await syncFolder(dirname(path));
  }

  assertHeld(): void {
    this.claim.assertHeld();
  }

  release(): Promise<void> {
    return this.claim();
  }
}

/** DuckDB works on the disk, and each part is copied to the store. */
class StoredPlace implements ParquetPlace {
  readonly end: string;
  private readonly store: FileStore;
  private readonly folder: CopyFolder;
  private readonly signal: AbortSignal;

  constructor(end: string, store: FileStore, folder: CopyFolder, signal: AbortSignal) {
    this.end = end;
    this.store = store;
    this.folder = folder;
    this.signal = signal;
  }

  async has(part: string): Promise<boolean> {
    return (await this.store.find(part)) !== undefined;
  }

  async siblings(): Promise<readonly string[]> {
    const folder = this.end.slice(0, this.end.lastIndexOf('/') + 1);
    const names = (await this.store.list(folder))?.map(({ name }) => name) ?? [];
    return names.filter((name) => name.startsWith(basename(this.end))).map((name) => folder + name);
  }

  async remove(part: string): Promise<void> {
    await this.store.remove(part);
    await rm(this.copyOf(part), { force: true });
  }

  async local(part: string): Promise<string> {
    const copy = this.copyOf(part);
    const isThere = await stat(copy).then(
      () => true,
      () => false,
    );
    if (!isThere && (await this.has(part))) await download(this.store, part, copy, this.signal);
    return copy;
  }

  keep(part: string): Promise<void> {
    return upload(this.store, this.copyOf(part), part, this.signal);
  }

  async localResult(): Promise<string | undefined> {
    if (!(await this.has(this.end))) return undefined;
    return this.local(this.end);
  }

  async adopt(local: string, part: string): Promise<void> {
    await copyFile(local, this.copyOf(part), constants.COPYFILE_FICLONE);
    await this.keep(part);
  }

  async publish(write: (local: string) => Promise<void>): Promise<void> {
    const whole = join(this.folder.path, 'whole');
    await write(whole);
    await upload(this.store, whole, this.end, this.signal);
  }

  assertHeld(): void {
    // The result appears as a whole, so two runs cannot mix their rows.
  }

  release(): Promise<void> {
    return this.folder.remove();
  }

  private copyOf(path: string): string {
    return join(this.folder.path, basename(path));
  }
}

async function placeOf(path: string, isNew: boolean): Promise<FilePlace> {
  try {
    const place = await lookAtResult(path);
    if (place.kind === 'stream') {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot write ${path}: it is a device or a pipe, and Parquet needs a file`,
      );
    }
    if (place.isFilled) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot write ${path}: the file has several names or belongs to another user, and would be replaced. Name another file`,
      );
    }
    if (isNew && place.mode !== undefined) await assertForRows(place.path, KIND, false);
    return place;
  } catch (error) {
    throw fileError('write', path, error);
  }
}
