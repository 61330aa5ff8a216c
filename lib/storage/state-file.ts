/**
 * The durable state of a run as a log of changes in one file per generation.
 *
 * ```
 * <prefix>-<incarnation>-<generation>.log      frames: length, CRC-32, changes
 * ```
 *
 * A frame holds changes of one space. When the log holds several times as many changes as live entries, the live
 * entries are written to the next generation. An incarnation writes only to its own files, so a process that was
 * replaced but still runs cannot damage the log of its successor.
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
/**
 * Live entries are copied to a new file when the log has this many times the changes, or bytes, of the live entries.
 */
const MOST_GARBAGE = 4;
/** A log with fewer changes and fewer bytes is not copied to a new file. */
const LEAST_CHANGES = 100_000;
const LEAST_BYTES = 32 * 1024 * 1024;

/** The content of one frame: changes of one space. A change without a value is a removal. */
interface FrameContent {
  readonly space: string;
  readonly changes: readonly (readonly [key: string] | readonly [key: string, value: unknown])[];
}

/** The number of live entries of a frame, and its size. */
interface FrameUse {
  readonly bytes: number;
  readonly changes: number;
  live: number;
}

/** Changes of one space as bytes. */
interface EncodedFrame {
  readonly content: FrameContent;
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
  /**
   * By space and key, the position of the frame that holds the live entry. Keys are in the order of their first write.
   */
  private live = new Map<string, Map<string, number>>();
  /** The number of changes in the log. */
  private changes = 0;
  /** By position, the frames that hold live entries. */
  private frames = new Map<number, FrameUse>();
  /** The position of the last checkpoint. */
  private before: Json | undefined;

  constructor(prefix: string, incarnation: number) {
    this.prefix = prefix;
    this.incarnation = incarnation;
  }

  append(changes: readonly StateChange[]): Promise<Json> {
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
    for await (const { at, bytes, content } of framesOf(this.path, length)) {
      this.account(at, bytes, content);
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
      if (this.file === undefined || this.isLong) await this.beginGeneration();
      await this.put(frames);
      if (this.file !== undefined) await syncData(this.file);
    } catch (error) {
      throw fileError('write', this.path, error, 'the state of the run');
    }
    return { file: basename(this.path), length: this.length };
  }

  private get isLong(): boolean {
    if (this.changes < LEAST_CHANGES && this.length < LEAST_BYTES) return false;
    let entries = 0;
    let bytes = 0;
    for (const frame of this.frames.values()) {
      entries += frame.live;
      bytes += frame.bytes * (frame.live / frame.changes);
    }
    const hasManyChanges = this.changes >= LEAST_CHANGES && this.changes > entries * MOST_GARBAGE;
    return hasManyChanges || (this.length >= LEAST_BYTES && this.length > bytes * MOST_GARBAGE);
  }

  /** Begins the next log with the live entries of the one before. */
  private async beginGeneration(): Promise<void> {
    const before = { path: this.path, length: this.length, live: this.live, file: this.file };
    this.path = `${this.prefix}-${this.incarnation}-${++this.generation}.log`;
    this.length = 0;
    this.live = new Map();
    this.frames = new Map();
    this.changes = 0;
    this.file = await open(this.path, 'w', 0o600);
    if (before.path !== '') {
      for await (const { at, content } of framesOf(before.path, before.length)) {
        const keys = before.live.get(content.space);
        const changes = content.changes.filter(([key]) => keys?.get(key) === at);
        if (changes.length > 0) await this.put([frameOf({ ...content, changes })]);
      }
    }
    await before.file?.close();
    await syncFolder(dirname(this.prefix));
  }

  private async put(frames: readonly EncodedFrame[]): Promise<void> {
    const bytes: Buffer[] = [];
    for (const { content, payload } of frames) {
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt32LE(payload.length, 0);
      header.writeUInt32LE(crc32(payload), 4);
      this.account(this.length, payload.length, content);
      bytes.push(header, payload);
      this.length += HEADER_BYTES + payload.length;
    }
    await this.file?.writeFile(Buffer.concat(bytes));
  }

  private account(at: number, bytes: number, { space, changes }: FrameContent): void {
    const keys = this.live.get(space) ?? new Map<string, number>();
    this.live.set(space, keys);
    this.changes += changes.length;
    const frame = { bytes, changes: changes.length, live: 0 };
    this.frames.set(at, frame);
    for (const change of changes) {
      const [key] = change;
      this.release(keys.get(key));
      if (change.length === 1) keys.delete(key);
      else {
        keys.set(key, at);
        frame.live++;
      }
    }
    if (frame.live === 0) this.frames.delete(at);
  }

  /** Counts an entry of the frame as no longer live. */
  private release(at: number | undefined): void {
    const frame = at === undefined ? undefined : this.frames.get(at);
    if (frame !== undefined && --frame.live === 0) this.frames.delete(at as number);
  }
}

/** Divides changes into frames: consecutive changes of one space. */
function encode(changes: readonly StateChange[]): EncodedFrame[] {
  const frames: EncodedFrame[] = [];
  for (let from = 0; from < changes.length;) {
    const { space } = changes[from] as StateChange;
    const some: FrameContent['changes'][number][] = [];
    for (; from < changes.length && some.length < FRAME_CHANGES; from++) {
      const { space: own, key, entry } = changes[from] as StateChange;
      if (own !== space) break;
      some.push(entry === undefined ? [key] : [key, entry[0]]);
    }
    frames.push(frameOf({ space, changes: some }));
  }
  return frames;
}

function frameOf(content: FrameContent): EncodedFrame {
  try {
    return { content, payload: serialize(content) };
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
