/**
 * The durable state of a run as a log of changes in one file per generation.
 *
 * ```
 * <prefix>-<incarnation>-<generation>.log      frames: length, CRC-32, changes
 * ```
 *
 * A frame holds changes of one space. A log that has grown several times over is read once, to count its live entries.
 * If most of its changes are out of date, the live entries are written to the next generation. So a checkpoint costs
 * what it writes: no index of the entries is held. An incarnation writes only to files of its own, so a process that
 * only seemed dead cannot damage the log of its successor.
 *
 * Guarantees: an `append` that has resolved survives the loss of power. A position names a file and a length; data
 * behind that length is ignored. A damaged frame is recognised by its checksum. A generation is removed once two
 * checkpoints refer to later generations.
 */
import { open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { Json } from '../model/checkpoint.js';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { StateChange, StateEntries, StateStore } from '../model/state.js';
import { fileError } from './file-errors.js';
import { syncData } from './sync-data.js';
import { syncFolder } from './sync-folder.js';

/** The position of a checkpoint in the log. */
interface StatePosition {
  /** The name of the file, without its folder. */
  readonly file: string;
  /** Bytes. */
  readonly length: number;
}

const HEADER_BYTES = 8;
/** The most changes in one frame. Smaller frames cost more time per change, larger frames more memory when read. */
const FRAME_CHANGES = 1024;
/** The live entries are counted again when the log has grown by this factor since they were counted last. */
const GROWTH = 4;
/** The log is compacted when it is this many times as large as its live entries, in changes or in bytes. */
const MOST_GARBAGE = 2;
/** A log with fewer changes and fewer bytes is not copied to a new file. */
const LEAST_CHANGES = 200_000;
const LEAST_BYTES = 32 * 1024 * 1024;

/** The content of one frame: changes of one space. A change without a value is a removal. */
interface FrameContent {
  readonly space: string;
  readonly changes: readonly (readonly [key: string] | readonly [key: string, value: unknown])[];
}

/** By space and key, the position of the frame that holds the live entry. */
type LiveEntries = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** The size of a log, or of what is live in it. */
interface LogSize {
  readonly changes: number;
  readonly bytes: number;
}

/** Changes of one space as bytes. */
interface EncodedFrame {
  /** The number of changes. */
  readonly changes: number;
  readonly payload: Buffer;
}

/**
 * Stores state in files whose paths begin with `prefix`. `append` rejects with MILLRACE_UNCLONABLE for a value that
 * cannot be copied, and with MILLRACE_FILE if it cannot be written; `restore` rejects with MILLRACE_RESUME if the log
 * is damaged or missing.
 */
export function stateFile(prefix: string, incarnation: number): StateStore {
  return new StateFile(prefix, incarnation);
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
  /** The number of changes in the log. */
  private changes = 0;
  /** The size of the log when its live entries were last counted. */
  private looked: LogSize = { changes: 0, bytes: 0 };
  /** The position of the last checkpoint. */
  private before: Json | undefined;

  constructor(prefix: string, incarnation: number) {
    this.prefix = prefix;
    this.incarnation = incarnation;
  }

  append(changes: Iterable<StateChange>): Promise<Json> {
    try {
      return this.write(encode(changes));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async restore(position: Json): Promise<ReadonlyMap<string, StateEntries>> {
    const { file, length } = position as unknown as StatePosition;
    this.before = position;
    this.path = join(dirname(this.prefix), basename(file));
    this.length = length;
    const spaces = new Map<string, Map<string, unknown>>();
    for await (const { content } of framesOf(this.path, length)) {
      const entries = spaces.get(content.space) ?? new Map<string, unknown>();
      spaces.set(content.space, entries);
      for (const [key, ...value] of content.changes) {
        if (value.length === 0) entries.delete(key);
        else entries.set(key, value[0]);
      }
    }
    return spaces;
  }

  async checkpointed(position: Json): Promise<void> {
    // The checkpoint before this one may still be needed, if this one is damaged.
    const { file } = (this.before ?? position) as unknown as StatePosition;
    this.before = position;
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

  private async write(frames: readonly EncodedFrame[]): Promise<Json> {
    try {
      // The first write of an incarnation begins a file of its own.
      if (this.file === undefined) await this.beginGeneration(await liveIn(this.path, this.length));
      else if (this.hasGrown) await this.lookAtGarbage();
      await this.put(frames);
      await syncData(this.file as FileHandle);
    } catch (error) {
      throw fileError('write', this.path, error, 'the state of the run');
    }
    return { file: basename(this.path), length: this.length };
  }

  private get hasGrown(): boolean {
    const { changes, bytes } = this.looked;
    return (
      this.changes >= Math.max(LEAST_CHANGES, changes * GROWTH) || this.length >= Math.max(LEAST_BYTES, bytes * GROWTH)
    );
  }

  /** Counts the live entries of the log, and copies them to the next one if most changes are out of date. */
  private async lookAtGarbage(): Promise<void> {
    const { live, size } = await liveIn(this.path, this.length);
    const isGarbage = this.changes > size.changes * MOST_GARBAGE || this.length > size.bytes * MOST_GARBAGE;
    if (isGarbage) await this.beginGeneration({ live, size });
    else this.looked = { changes: this.changes, bytes: this.length };
  }

  /** Begins the next log with the live entries of the one before. */
  private async beginGeneration({ live, size }: { readonly live: LiveEntries; readonly size: LogSize }): Promise<void> {
    const before = { path: this.path, length: this.length, file: this.file };
    this.path = `${this.prefix}-${this.incarnation}-${++this.generation}.log`;
    this.length = 0;
    this.changes = 0;
    this.looked = size;
    this.file = await open(this.path, 'w', 0o600);
    for await (const { at, content } of framesOf(before.path, before.length)) {
      const keys = live.get(content.space);
      const changes = content.changes.filter(([key]) => keys?.get(key) === at);
      if (changes.length > 0) await this.put([frameOf({ ...content, changes })]);
    }
    await before.file?.close();
    await syncFolder(dirname(this.prefix));
  }

  private async put(frames: readonly EncodedFrame[]): Promise<void> {
    const bytes: Buffer[] = [];
    for (const { changes, payload } of frames) {
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt32LE(payload.length, 0);
      header.writeUInt32LE(crc32(payload), 4);
      bytes.push(header, payload);
      this.changes += changes;
      this.length += HEADER_BYTES + payload.length;
    }
    await this.file?.writeFile(Buffer.concat(bytes));
  }
}

/** The live entries of a log, and their size. */
async function liveIn(path: string, length: number): Promise<{ readonly live: LiveEntries; readonly size: LogSize }> {
  const live = new Map<string, Map<string, number>>();
  /** By position of a frame, the bytes of each of its changes. */
  const bytesOf = new Map<number, number>();
  for await (const { at, bytes, content } of framesOf(path, length)) {
    const keys = live.get(content.space) ?? new Map<string, number>();
    live.set(content.space, keys);
    bytesOf.set(at, bytes / content.changes.length);
    for (const change of content.changes) {
      if (change.length === 1) keys.delete(change[0]);
      else keys.set(change[0], at);
    }
  }
  let changes = 0;
  let bytes = 0;
  for (const keys of live.values()) {
    changes += keys.size;
    for (const at of keys.values()) bytes += bytesOf.get(at) as number;
  }
  return { live, size: { changes, bytes } };
}

/** Divides changes into frames: consecutive changes of one space. */
function encode(changes: Iterable<StateChange>): EncodedFrame[] {
  const frames: EncodedFrame[] = [];
  let present: { readonly space: string; readonly changes: FrameContent['changes'][number][] } | undefined;
  for (const { space, key, entry } of changes) {
    if (present?.space !== space || present.changes.length === FRAME_CHANGES) {
      if (present !== undefined) frames.push(frameOf(present));
      present = { space, changes: [] };
    }
    present.changes.push(entry === undefined ? [key] : [key, entry[0]]);
  }
  if (present !== undefined) frames.push(frameOf(present));
  return frames;
}

function frameOf(content: FrameContent): EncodedFrame {
  try {
    return { changes: content.changes.length, payload: serialize(content) };
  } catch (error) {
    throw new MillraceError(
      'MILLRACE_UNCLONABLE',
      `The state of '${content.space}' cannot be stored: ${describeThrown(error)}. Use plain data, or set \`durable\` to false`,
      { cause: error },
    );
  }
}

interface Frame {
  /** The position of the frame in the file. */
  readonly at: number;
  readonly bytes: number;
  readonly content: FrameContent;
}

async function* framesOf(path: string, length: number): AsyncGenerator<Frame> {
  if (length === 0) return;
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
      yield { at, bytes: size, content: deserialize(payload) as FrameContent };
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

/** A number that orders the files by incarnation and then by generation. */
function orderOf(name: string): number {
  const [, incarnation = '0', generation = '0'] = /-(\d+)-(\d+)\.log$/.exec(name) ?? [];
  return Number(incarnation) * 1e6 + Number(generation);
}
