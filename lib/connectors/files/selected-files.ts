/**
 * Several files as the partitions of a source.
 *
 * Guarantees: the number of a partition is derived from the path of its file, so a record keeps its identity when files
 * are added or removed. At most `parallel` files are open. The next file is opened when the last records of one have
 * been handed over, so the records of one file after another keep their order however slowly they are read. A file that
 * was read to its end is not opened again by a resumed run. A file that a resumed run needs and that is gone, or has
 * another size, fails the run.
 */
import { createHash } from 'node:crypto';
import {
  holdClock,
  MillraceError,
  Semaphore,
  sleep,
  type Clock,
  type ConnectorContext,
  type FoundRecord,
  type Json,
  type Lineage,
  type Rejected,
  type Skip,
  type SourcePartition,
  type SourcePast,
  type SourcePosition,
  type SourceRead,
  type TouchedFile,
} from '../../connect/index.js';
import type { FileStore } from '../../connect/files.js';
import { touchedAt } from './file-place.js';
import { identifyAt } from './identify-at.js';
import { FileRows } from './file-rows.js';
import type { FileSelection, FoundFile } from './file-selection.js';
import type { RowReader } from './row-reader.js';

/** How the files are read. */
export interface FileReading<Item, Out> {
  /** Opens a file, at a position that an earlier reader of it has returned. */
  open(path: string, at: SourcePosition | undefined, signal: AbortSignal): Promise<RowReader<Item>>;
  /** Converts a row to a record. */
  recordOf(item: Item, path: string): Out | Skip | Rejected;
  /** Finds the rows of a file that contain a value. */
  find(path: string, key: string): AsyncIterable<FoundRecord>;
}

/** A position in one file. */
interface FilePosition extends SourcePosition {
  readonly path: string;
  readonly size: number;
  /** True if the file has no rows from here on. */
  readonly isOver?: boolean;
}

/** The sum of the sizes of files whose content is hashed for their identity. */
const MOST_HASHED_BYTES = 256 * 2 ** 20;

export class SelectedFiles<Item, Out> {
  private readonly selection: FileSelection;
  private readonly store: FileStore | undefined;
  private readonly reading: FileReading<Item, Out>;
  private context: ConnectorContext | undefined;
  private permits = new Semaphore(1);
  /** Aborts when the search for new files ends. */
  private ending = new AbortController();
  /** The files that are partitions, by the number of the partition. */
  private known = new Map<number, string>();
  /** The positions that an earlier incarnation has kept. */
  private positions = new Map<number, FilePosition>();
  /** The files that the last check has found and that are not read yet. */
  private seen = new Map<string, FoundFile>();
  private lastFoundAt = 0;

  constructor(selection: FileSelection, store: FileStore | undefined, reading: FileReading<Item, Out>) {
    this.selection = selection;
    this.store = store;
    this.reading = reading;
  }

  files(): readonly TouchedFile[] {
    return this.selection.findNow().map((path) => touchedAt(path, 'read'));
  }

  /**
   * The size and the content of each file. For watched files, to which others may be added, only the paths and
   * patterns.
   */
  async identify(): Promise<Json> {
    const { selection } = this;
    if (selection.isWatched) return { files: [...selection.paths] };
    const found = await selection.find(this.store).catch(() => []);
    const identities: Record<string, Json> = {};
    let bytes = 0;
    for (const { path, size } of found) {
      bytes += size;
      const isHashed = bytes <= MOST_HASHED_BYTES;
      const facts = (await identifyAt(path, this.store, isHashed ? undefined : 0)) as Readonly<
        Partial<Record<string, string | number>>
      > | null;
      const { prefix = '', content, changedAt = 0 } = facts ?? {};
      // A copy of the same content is the same input.
      identities[path] = `${size} bytes, ${content ?? `${prefix} of ${changedAt}`}`;
    }
    return identities;
  }

  async *find(key: string): AsyncGenerator<FoundRecord> {
    for (const { path } of await this.selection.find(this.store)) {
      for await (const found of this.reading.find(path, key)) yield { ...found, partition: partitionOfPath(path) };
    }
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    const { selection } = this;
    this.context = context;
    this.permits = new Semaphore(selection.parallel);
    const ending = new AbortController();
    this.ending = ending;
    context.whenEnding(() => {
      ending.abort();
    });
    this.known = new Map();
    this.seen = new Map();
    this.lastFoundAt = context.clock.monotonicMs();
    this.positions = new Map(
      past?.partitions.flatMap(({ partition, position }) =>
        position === undefined ? [] : [[partition, position as FilePosition] as const],
      ),
    );
    const found = await holdClock(context.clock, selection.find(this.store));
    this.assertAllThere(found);
    return this.partitionsOf(selection.isWatched ? this.steady(found) : found);
  }

  /** For watched files: the partitions of the files that have appeared, or null when the search has ended. */
  async nextPartitions(): Promise<readonly SourcePartition<Out>[] | null> {
    const { selection } = this;
    const { clock } = this.context as ConnectorContext;
    if (!selection.isWatched) return null;
    for (;;) {
      if (!(await this.pause())) return null;
      const found = await holdClock(clock, selection.find(this.store));
      const next = this.partitionsOf(this.steady(found));
      const now = clock.monotonicMs();
      // A file that is still being written counts as a new file.
      if (next.length > 0 || this.seen.size > 0) this.lastFoundAt = now;
      if (next.length > 0) return next;
      if (selection.idleMs !== undefined && now - this.lastFoundAt >= selection.idleMs) return null;
    }
  }

  /** Ends `nextPartitions`. */
  close(): void {
    this.ending.abort();
  }

  /** Waits until the next check. Resolves with false if the run ends before. */
  private pause(): Promise<boolean> {
    const { clock } = this.context as ConnectorContext;
    return sleep(clock, this.selection.everyMs, this.ending.signal);
  }

  /** The files that have not changed since the last check, or were read in an earlier incarnation. */
  private steady(found: readonly FoundFile[]): readonly FoundFile[] {
    const before = this.seen;
    const fresh = found.filter(({ path }) => !this.known.has(partitionOfPath(path)));
    const steady = fresh.filter(({ path, size, changedAt }) => {
      const last = before.get(path);
      return this.positions.has(partitionOfPath(path)) || (last?.size === size && last.changedAt === changedAt);
    });
    this.seen = new Map(fresh.filter((file) => !steady.includes(file)).map((file) => [file.path, file]));
    return steady;
  }

  private partitionsOf(found: readonly FoundFile[]): readonly FilePartition<Item, Out>[] {
    const { clock } = this.context as ConnectorContext;
    return found.map((file) => {
      const partition = partitionOfPath(file.path);
      const other = this.known.get(partition);
      if (other !== undefined && other !== file.path) throw sameNumber(file.path, other);
      this.known.set(partition, file.path);
      const position = this.positions.get(partition);
      return new FilePartition({ file, partition, position, reading: this.reading, permits: this.permits, clock });
    });
  }

  /**
   * Throws MILLRACE_RESUME if a file is gone before it was read to its end, or has another size: records would be lost.
   */
  private assertAllThere(found: readonly FoundFile[]): void {
    const sizes = new Map(found.map(({ path, size }) => [path, size]));
    for (const { path, size, isOver } of this.positions.values()) {
      const now = sizes.get(path);
      if (isOver === true && now === undefined) continue;
      if (now === size) continue;
      const what = now === undefined ? 'it is not there any more' : `it had ${size} bytes, and has ${now}`;
      throw new MillraceError(
        'MILLRACE_RESUME',
        `Cannot continue to read ${path}: ${what}. Put it back as it was, or start a new run`,
      );
    }
  }
}

/** The number of the partition of a file: 48 bits of a hash of its path. */
export function partitionOfPath(path: string): number {
  return createHash('sha256').update(path).digest().readUIntBE(0, 6);
}

function sameNumber(path: string, other: string): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `The paths ${path} and ${other} have the same hash: rename one file`,
  );
}

interface FilePartitionParts<Item, Out> {
  readonly file: FoundFile;
  readonly partition: number;
  readonly position: FilePosition | undefined;
  readonly reading: FileReading<Item, Out>;
  readonly permits: Semaphore;
  readonly clock: Clock;
}

/** One file, which is opened when a permit is free. */
class FilePartition<Item, Out> implements SourcePartition<Out> {
  readonly partition: number;
  readonly from: Lineage;
  private readonly parts: FilePartitionParts<Item, Out>;
  private readonly closing = new AbortController();
  private rows: FileRows<Item, Out> | undefined;
  private hasPermit = false;
  private isOver: boolean;

  constructor(parts: FilePartitionParts<Item, Out>) {
    this.parts = parts;
    this.partition = parts.partition;
    this.from = parts.position?.lineage ?? 0;
    this.isOver = parts.position?.isOver === true;
  }

  share(): number | undefined {
    if (this.isOver) return 1;
    return this.rows === undefined ? 0 : this.rows.share();
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    const rows = this.isOver ? undefined : await this.opened();
    const read = (await rows?.read(max)) ?? null;
    const isOver = read === null || (await rows?.isAtEnd()) === true;
    this.isOver = isOver;
    if (read === null || rows === undefined) {
      // Only now, because the records of the last read may have waited, and those of the next file come after them.
      await this.release();
      return null;
    }
    const { path, size } = this.parts.file;
    const position: FilePosition = isOver
      ? { lineage: rows.next, path, size, isOver }
      : { ...(read.position ?? { lineage: this.from }), path, size };
    return { records: read.records, position };
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.release();
  }

  /** The rows of the file, once a permit is free; undefined if the partition was closed before. */
  private async opened(): Promise<FileRows<Item, Out> | undefined> {
    if (this.rows !== undefined) return this.rows;
    const { file, position, reading, permits, clock } = this.parts;
    const { signal } = this.closing;
    this.hasPermit = await permits.acquire(signal);
    if (!this.hasPermit) return undefined;
    const { path, size } = file;
    // A position without a place in the file is its beginning.
    const at = position?.['start'] === undefined ? undefined : position;
    const reader = await holdClock(clock, reading.open(path, at, signal));
    this.rows = new FileRows({
      reader,
      recordOf: (item) => reading.recordOf(item, path),
      from: this.from,
      size,
      clock,
    });
    return this.rows;
  }

  private async release(): Promise<void> {
    await this.rows?.close();
    if (!this.hasPermit) return;
    this.hasPermit = false;
    this.parts.permits.release();
  }
}
