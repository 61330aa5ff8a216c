/**
 * Writes text to a result file, which gets its final name only when it is complete.
 *
 * Guarantees: for a result in a store, those of `StoredResult`. On the disk, bytes are written to `path.part`; with
 * `from`, after the bytes of an earlier incarnation of the run. `finish` makes them durable (fdatasync) before it
 * renames the file, so a reader never sees a partial file under `path`. A link is followed to the file that it names.
 * Some files are not replaced by a rename: a mount, a file with several names, a file of another user. Their content is
 * copied from `path.part` at the end. A device or a pipe is written to directly. Anything else is refused before the
 * first byte. Two runs that write to one path never mix their rows, and the later one is refused if the first can be
 * detected. Memory is bounded, because `put` returns a promise while the disk is behind. A failed write is
 * MILLRACE_FILE with the system's error as its cause, at this `put` or the next, and always at `finish`.
 */
import { constants } from 'node:fs';
import { access, copyFile, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MillraceError } from '../../connect/values.js';
import {
  assertForRows,
  assertOwnFile,
  claimFile,
  assertHolds,
  endsAt,
  fileError,
  lookAtResult,
  ownerFileOf,
  pointAt,
  reopenAt,
  resultPathOf,
  syncData,
  syncFolder,
  systemCodeOf,
  type FilePlace,
  type FilePoint,
  type FileStore,
} from '../../connect/files.js';
import { isPacked } from './byte-source.js';
import { isInStore, storeOf } from './file-place.js';
import type { ResultFile, ResultFileOptions } from './open-result.js';
import { openPipe } from './pipe-stream.js';
import { StoredResult } from './stored-result.js';
import { TextFile } from './text-file.js';

/** The temporary files that exist before the file gets its final name. A device or a pipe needs none. */
export function filesOnTheWayTo(path: string): readonly string[] {
  if (isInStore(path)) return [];
  const end = resultPathOf(path);
  return end === undefined ? [] : [partOf(end), copyOf(end), ownerFileOf(partOf(end))];
}

/**
 * Throws MILLRACE_FILE if no result can be written to this path: its folder is missing or does not accept files, or the
 * path leads to something that no result may replace, or a file that no run has made has the path of a temporary file.
 * Opens and changes nothing: a pipe that was opened and closed would signal its end to the reader.
 */
export async function assertResultPlace(path: string, given?: FileStore): Promise<void> {
  try {
    const store = await storeOf(path, given);
    if (store !== undefined) {
      await store.check(path);
      return;
    }
    const place = await lookAtResult(path);
    if (place.kind === 'file') await access(dirname(place.path), constants.W_OK | constants.X_OK);
    for (const onTheWay of filesOnTheWayTo(path)) await assertOwnFile(onTheWay);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/**
 * Throws MILLRACE_RESUME if a run cannot continue the result at this point: there is neither an unfinished nor a
 * finished file, or it does not contain the bytes that were written up to the point. Changes nothing.
 */
export async function assertResultAt(path: string, point: FilePoint): Promise<void> {
  try {
    const place = await lookAtResult(path);
    if (place.kind === 'stream') throw notAFile(path);
    const part = partOf(place.path);
    if (await isThere(part)) await assertHolds(part, point);
    else await assertFinishedAt(place.path, point);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** Throws MILLRACE_RESUME if the finished result is gone, or has changed since the run finished it. */
async function assertFinishedAt(path: string, point: FilePoint): Promise<void> {
  if (await endsAt(path, point)) return;
  const what = (await isThere(path)) ? 'it is not what this run wrote' : 'the file does not exist any more';
  throw new MillraceError(
    'MILLRACE_RESUME',
    `Cannot go on with ${path}: ${what}. Put the file back as it was, or start a new run`,
  );
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Opens the file and writes the header; throws MILLRACE_FILE or MILLRACE_RESUME. */
export async function openResultFile(options: ResultFileOptions): Promise<ResultFile> {
  const { path, header, kind, signal } = options;
  const from = options.from as FilePoint | undefined;
  throwIfAborted(path, signal);
  const store = await storeOf(path, options.store);
  if (store !== undefined) return StoredResult.open(store, options);
  try {
    const place = await lookAtResult(path);
    if (place.kind === 'stream') {
      if (from !== undefined) throw notAFile(path);
      const handle = await openPipe(path);
      const file = new TextFile(handle, { isPacked: isPacked(path), isStream: true, start: 0, signal });
      file.put(header);
      return new DiskResult({ handle, disown: undefined, file, path, place: undefined, signal });
    }
    const end = place.path;
    if (from === undefined && place.mode !== undefined) await assertForRows(end, kind, isPacked(path));
    const disown = await claimFile(partOf(end));
    const handle = await openPart(end, from, disown.hasGhost).catch(async (error: unknown) => {
      await disown();
      throw error;
    });
    const file = new TextFile(handle, { isPacked: isPacked(path), isStream: false, start: from?.bytes ?? 0, signal });
    if (from === undefined) file.put(header);
    return new DiskResult({ handle, disown, file, path, place, signal });
  } catch (error) {
    throw fileError('write', path, error);
  }
}

function notAFile(path: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `Cannot go on with ${path}: it is not a file any more. Put the file back as it was, or start a new run`,
  );
}

/** Opens a new file, or the one to continue. Its name is durable, because a checkpoint may refer to it. */
async function openPart(path: string, from: FilePoint | undefined, hasGhost: boolean): Promise<FileHandle> {
  const part = partOf(path);
  await assertOwnFile(part);
  if (from === undefined) {
    // A new file, so that a run that still writes to the old one cannot mix its rows with the new ones.
    await rm(part, { force: true });
    const handle = await open(part, 'wx+');
    await syncFolder(dirname(path));
    return handle;
  }
  // An earlier incarnation has already renamed the file: continue with a copy, and keep the file until the copy is
  // complete.
  const isUnfinished = await isThere(part);
  if (!isUnfinished) {
    await assertFinishedAt(path, from);
    const copy = copyOf(path);
    await assertOwnFile(copy);
    await rm(copy, { force: true });
    await copyFile(path, copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await syncFile(copy);
    await rename(copy, part);
    await syncFolder(dirname(path));
  } else if (hasGhost) {
    // The process before this one may still write to the file that it has open, so this run needs another file.
    await copyFile(part, copyOf(path), constants.COPYFILE_FICLONE);
    await syncFile(copyOf(path));
    await rename(copyOf(path), part);
    await syncFolder(dirname(path));
  }
  return reopenAt(part, from);
}

/** Replaces the bytes of an existing file, which keeps its owner, its permissions and its other names. */
async function fill(path: string, part: string): Promise<void> {
  const from = await open(part, 'r');
  try {
    const to = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      let at = 0;
      const buffer = Buffer.allocUnsafe(FILL_BYTES);
      for (;;) {
        const { bytesRead } = await from.read(buffer, 0, FILL_BYTES, at);
        if (bytesRead === 0) break;
        await to.writeFile(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      await to.truncate(at);
      await syncData(to);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  await rm(part);
}

const FILL_BYTES = 1024 * 1024;

function partOf(path: string): string {
  return `${path}.part`;
}

function copyOf(path: string): string {
  return `${partOf(path)}.copy`;
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await syncData(handle);
  } finally {
    await handle.close();
  }
}

interface ResultFileParts {
  readonly handle: FileHandle;
  /** Releases the ownership of the file; undefined for a device or a pipe, which has no owner. */
  readonly disown: (() => Promise<void>) | undefined;
  readonly file: TextFile;
  readonly path: string;
  /** Undefined for a device or a pipe. */
  readonly place: FilePlace | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A result on the disk. */
class DiskResult implements ResultFile {
  private readonly parts: ResultFileParts;
  private readonly file: TextFile;
  private readonly path: string;
  private isOver = false;

  constructor(parts: ResultFileParts) {
    this.parts = parts;
    this.file = parts.file;
    this.path = parts.path;
  }

  get isStream(): boolean {
    return this.parts.place === undefined;
  }

  get bytesWritten(): number {
    return this.file.bytesWritten;
  }

  put(texts: () => Iterable<string>): void | Promise<void> {
    if (this.isOver) throw new MillraceError('MILLRACE_FILE', `Cannot write ${this.path}: it is closed already`);
    const room = this.file.room();
    if (room === undefined) {
      this.putAll(texts());
      return undefined;
    }
    return room.then(
      () => {
        this.putAll(texts());
      },
      (error: unknown) => {
        throwIfAborted(this.path, this.parts.signal);
        throw fileError('write', this.path, error);
      },
    );
  }

  async persist(): Promise<FilePoint | undefined> {
    try {
      const bytes = await this.file.flush();
      if (this.isStream) return undefined;
      await syncData(this.parts.handle);
      return await pointAt(this.parts.handle, bytes);
    } catch (error) {
      throw fileError('write', this.path, error);
    }
  }

  async finish(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    const { place, handle } = this.parts;
    try {
      await this.file.end();
      if (place !== undefined) {
        const part = partOf(place.path);
        if (place.mode !== undefined && !place.isFilled) await handle.chmod(place.mode);
        await syncData(handle);
        await this.assertOurs(part);
        await this.file.close();
        await this.publish(part, place);
      }
    } catch (error) {
      throw fileError('write', this.path, error);
    } finally {
      await this.release();
    }
  }

  async abandon(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.release();
  }

  private async release(): Promise<void> {
    await this.file.close();
    await this.parts.disown?.();
  }

  /** Gives the file its final name, or copies its content to the file of that name. */
  private async publish(part: string, { path, isFilled }: FilePlace): Promise<void> {
    const now = await lookAtResult(this.path);
    if (now.kind !== 'file' || now.path !== path) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot write ${this.path}: it does not lead to ${path} any more. The rows are in ${part}`,
      );
    }
    if (isFilled || now.isFilled) await fill(path, part);
    else {
      // The name is a mount, such as a single file in a container, which no rename can replace.
      await rename(part, path).catch((error: unknown) => {
        if (systemCodeOf(error) !== 'EBUSY') throw error;
        return fill(path, part);
      });
    }
    await syncFolder(dirname(path));
  }

  /** Another run may have started to write to the same path; then the file there is not ours. */
  private async assertOurs(part: string): Promise<void> {
    const [ours, there] = await Promise.all([this.parts.handle.stat(), stat(part)]);
    if (there.ino === ours.ino && there.dev === ours.dev) return;
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `Another run has started to write ${part}, so the rows of this run are lost. Run it again when the other run is over, or write to another path`,
    );
  }

  private putAll(texts: Iterable<string>): void {
    for (const text of texts) this.file.put(text);
  }
}

function throwIfAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new MillraceError('MILLRACE_ABORTED', `Writing ${path} was cancelled`, { cause: signal.reason });
}
