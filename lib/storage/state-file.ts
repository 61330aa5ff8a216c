/**
 * The durable state of a run as a log of changes in one file per generation.
 *
 * ```
 * <prefix>-<incarnation>-<generation>.log      frames: length, CRC-32, changes
 * ```
 *
 * A frame holds the changes of one checkpoint. When the log is several times as long as its live entries, the live entries
 * are written to the next generation. An incarnation writes only to files of its own, so a process that only seemed dead
 * cannot damage the log of its successor.
 *
 * Guarantees: an `append` that has resolved survives the loss of power. A position names a file and a length, so whatever
 * follows it does not count. A damaged frame is recognised by its checksum. A generation is removed once a checkpoint refers
 * to a later one.
 */
import { open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { Json } from '../model/checkpoint.js';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { StateChange, StateEntries, StateStore } from '../model/state.js';
import { fileError } from './file-errors.js';
import { syncFolder } from './sync-folder.js';

/** Where the state is after a checkpoint. */
interface StatePosition {
  /** The name of the file, without its folder. */
  readonly file: string;
  /** Bytes. */
  readonly length: number;
}

const HEADER_BYTES = 8;
/** The most bytes of changes in one frame: a longer list of changes is divided. */
const FRAME_BYTES = 4 * 1024 * 1024;
/** A log this many times as long as its live entries is written anew. */
const MOST_GARBAGE = 4;
/** A log that is shorter is never written anew. */
const LEAST_LOG_BYTES = 8 * 1024 * 1024;

/** One change as bytes. */
interface Encoded {
  readonly id: string;
  /** The position of the bytes in their frame. */
  readonly from: number;
  readonly bytes: Buffer;
  readonly isRemoval: boolean;
}

/**
 * Stores state in files whose paths begin with `prefix`. `append` rejects with MILLRACE_UNCLONABLE for a value that cannot be
 * copied, and with MILLRACE_FILE if it cannot be written; `restore` rejects with MILLRACE_RESUME if the log is damaged or
 * missing.
 */
export function stateFile(prefix: string, incarnation: number): StateStore {
  return new StateFile(prefix, incarnation);
}

/** Where an entry is in the log. */
interface Place {
  readonly at: number;
  readonly length: number;
}

class StateFile implements StateStore {
  private readonly prefix: string;
  private readonly incarnation: number;
  private generation = 0;
  /** The log that this incarnation writes. */
  private file: FileHandle | undefined;
  /** The log that holds the live entries. */
  private path = '';
  private length = 0;
  /** By space and key, the live entries in the order in which they were first written. */
  private live = new Map<string, Place>();
  private liveBytes = 0;

  constructor(prefix: string, incarnation: number) {
    this.prefix = prefix;
    this.incarnation = incarnation;
  }

  append(changes: readonly StateChange[]): Promise<Json> {
    try {
      return this.write(changes.map(encode));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async restore(position: Json): Promise<ReadonlyMap<string, StateEntries>> {
    const { file, length } = position as unknown as StatePosition;
    this.path = join(dirname(this.prefix), basename(file));
    const spaces = new Map<string, Map<string, unknown>>();
    for await (const { at, payload } of framesOf(this.path, length)) {
      for (const { id, isRemoval, from, bytes } of decode(payload)) {
        this.account(id, isRemoval ? undefined : { at: at + from, length: bytes.length });
        const [space, key] = JSON.parse(id) as [string, string];
        const entries = spaces.get(space) ?? new Map<string, unknown>();
        spaces.set(space, entries);
        if (isRemoval) entries.delete(key);
        else entries.set(key, (deserialize(valueIn(bytes)) as [unknown])[0]);
      }
    }
    return spaces;
  }

  async checkpointed(position: Json): Promise<void> {
    const { file } = position as unknown as StatePosition;
    const folder = dirname(this.prefix);
    const own = `${basename(this.prefix)}-`;
    const names = await readdir(folder).catch(() => []);
    const old = names.filter((name) => name.startsWith(own) && name.endsWith('.log') && orderOf(name) < orderOf(file));
    await Promise.all(old.map((name) => unlink(join(folder, name)).catch(() => undefined)));
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private async write(changes: readonly Encoded[]): Promise<Json> {
    const isLong = this.length > LEAST_LOG_BYTES && this.length > this.liveBytes * MOST_GARBAGE;
    try {
      // The first write of an incarnation begins a file of its own.
      if (this.file === undefined || isLong) await this.beginGeneration();
      await this.put(changes);
      await this.file?.datasync();
    } catch (error) {
      throw fileError('write', this.path, error, 'the state of the run');
    }
    return { file: basename(this.path), length: this.length };
  }

  /** Begins the next log with a copy of the live entries. */
  private async beginGeneration(): Promise<void> {
    const before = { path: this.path, live: this.live, file: this.file };
    this.path = `${this.prefix}-${this.incarnation}-${++this.generation}.log`;
    this.length = 0;
    this.live = new Map();
    this.liveBytes = 0;
    this.file = await open(this.path, 'w', 0o600);
    if (before.live.size > 0) await this.copy(before.path, before.live);
    await before.file?.close();
    await syncFolder(dirname(this.prefix));
  }

  private async copy(path: string, entries: ReadonlyMap<string, Place>): Promise<void> {
    const from = await open(path, 'r');
    try {
      let some: Encoded[] = [];
      let bytes = 0;
      for (const [id, { at, length }] of entries) {
        some.push({ id, isRemoval: false, from: 0, bytes: await readAt(from, at, length, path) });
        bytes += length;
        if (bytes < FRAME_BYTES) continue;
        await this.put(some);
        some = [];
        bytes = 0;
      }
      await this.put(some);
    } finally {
      await from.close();
    }
  }

  /** Writes changes as frames. */
  private async put(changes: readonly Encoded[]): Promise<void> {
    for (let next = 0; next < changes.length;) {
      const some: Buffer[] = [];
      const start = this.length + HEADER_BYTES;
      let bytes = 0;
      for (; next < changes.length && bytes < FRAME_BYTES; next++) {
        const change = changes[next] as Encoded;
        this.account(change.id, change.isRemoval ? undefined : { at: start + bytes, length: change.bytes.length });
        some.push(change.bytes);
        bytes += change.bytes.length;
      }
      const payload = Buffer.concat(some);
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt32LE(payload.length, 0);
      header.writeUInt32LE(crc32(payload), 4);
      await this.file?.writeFile(Buffer.concat([header, payload]));
      this.length = start + bytes;
    }
  }

  private account(id: string, place: Place | undefined): void {
    this.liveBytes += (place?.length ?? 0) - (this.live.get(id)?.length ?? 0);
    if (place === undefined) this.live.delete(id);
    else this.live.set(id, place);
  }
}

/** Lengths of id and value, then both. A removal has the length -1 and no value. */
function encode({ space, key, entry }: StateChange): Encoded {
  const id = JSON.stringify([space, key]);
  const name = Buffer.from(id, 'utf8');
  let value: Buffer = Buffer.alloc(0);
  try {
    if (entry !== undefined) value = serialize(entry);
  } catch (error) {
    throw new MillraceError(
      'MILLRACE_UNCLONABLE',
      `The state of '${space}' cannot be stored: ${describeThrown(error)}. Use plain data, or set \`durable\` to false`,
      { cause: error },
    );
  }
  const lengths = Buffer.alloc(8);
  lengths.writeInt32LE(name.length, 0);
  lengths.writeInt32LE(entry === undefined ? -1 : value.length, 4);
  return { id, from: 0, bytes: Buffer.concat([lengths, name, value]), isRemoval: entry === undefined };
}

function* decode(payload: Buffer): Iterable<Encoded> {
  for (let at = 0; at < payload.length;) {
    const nameEnd = at + 8 + payload.readInt32LE(at);
    const length = payload.readInt32LE(at + 4);
    const end = nameEnd + Math.max(0, length);
    const bytes = payload.subarray(at, end);
    yield { id: payload.toString('utf8', at + 8, nameEnd), from: at, bytes, isRemoval: length < 0 };
    at = end;
  }
}

function valueIn(bytes: Buffer): Buffer {
  return bytes.subarray(8 + bytes.readInt32LE(0));
}

interface Frame {
  /** The position of the payload in the file. */
  readonly at: number;
  readonly payload: Buffer;
}

async function* framesOf(path: string, length: number): AsyncGenerator<Frame> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw damaged(path, describeThrown(error), error);
  }
  try {
    for (let at = 0; at < length;) {
      const header = await readAt(file, at, HEADER_BYTES, path);
      const size = header.readUInt32LE(0);
      if (at + HEADER_BYTES + size > length) throw damaged(path, `the frame at byte ${at} is longer than the file`);
      const payload = await readAt(file, at + HEADER_BYTES, size, path);
      if (crc32(payload) !== header.readUInt32LE(4)) throw damaged(path, `the frame at byte ${at} is damaged`);
      yield { at: at + HEADER_BYTES, payload };
      at += HEADER_BYTES + size;
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, at: number, length: number, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  if (bytesRead < length) throw damaged(path, `it ends at byte ${at + bytesRead}, in the middle of a frame`);
  return bytes;
}

function damaged(path: string, what: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `The state of the run in ${path} cannot be read: ${what}. Put the file back, or start a new run`,
    { cause },
  );
}

/** Files of later incarnations and generations come later. */
function orderOf(name: string): number {
  const [, incarnation = '0', generation = '0'] = /-(\d+)-(\d+)\.log$/.exec(name) ?? [];
  return Number(incarnation) * 1e6 + Number(generation);
}
