/**
 * A result file as a sink. A format provides the text of a record, and opens the file.
 *
 * Guarantees: text is written to `path.part`, which is renamed to `path` only when the whole run has completed, so a
 * reader never sees a partial result (see result-file for links, mounts, devices and pipes). The clock of a simulation
 * stands still while the file system works.
 */
import { statSync } from 'node:fs';
import {
  holdClock,
  type Clock,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type Json,
  type RunOutcome,
  type Sink,
  type SinkPast,
  type SinkRows,
  type TouchedFile,
} from '../../connect/index.js';
import { resultPathOf, touchedFile, type FilePoint, type FileStore } from '../../connect/files.js';
import { datasetAt, isInStore, storeOf, touchedAt } from './file-place.js';
import { assertResultAt, assertResultPlace, filesOnTheWayTo } from './result-file.js';

/** A file of one format that is open for writing. */
export interface OpenFile {
  /** True if the text goes to a device or a pipe. */
  readonly isStream: boolean;
  /** The point after the text accepted so far, once it would survive a loss of power. */
  persist(): Promise<Json | undefined>;
  /** Gives the file its final name. */
  finish(): Promise<void>;
  /** Leaves `path.part` as it is. */
  abandon(): Promise<void>;
}

export abstract class FileSink<In, File extends OpenFile> implements Sink<In, string> {
  abstract readonly kind: string;
  private readonly path: string;
  private readonly store: FileStore | undefined;
  private opened: File | undefined;
  private clock: Pick<Clock, 'hold'> = {};

  /** @param store the store of a path that is a URL; default: the one of its scheme. */
  protected constructor(path: string, store?: FileStore) {
    this.path = path;
    this.store = store;
  }

  get dataset(): Dataset {
    return datasetAt(this.path);
  }

  files(): readonly TouchedFile[] {
    const { path } = this;
    return [touchedAt(path, 'write'), ...filesOnTheWayTo(path).map((part) => touchedFile(part, 'write', path))];
  }

  async check(prepared?: Json): Promise<void> {
    await assertResultPlace(this.path, this.store);
    if (prepared !== undefined && !isInStore(this.path)) await assertResultAt(this.path, prepared as FilePoint);
  }

  async *find(key: string): AsyncGenerator<FoundRecord> {
    const { path } = this;
    if (isInStore(path)) {
      const store = await storeOf(path, this.store);
      if ((await store?.find(path)) !== undefined) yield* this.findIn(path, key);
      return;
    }
    // An unfinished result is in the file beside it. A device or a pipe has nothing to read.
    const end = resultPathOf(path);
    const file = [path, `${end}.part`].find((name) => statSync(name, { throwIfNoEntry: false })?.isFile() === true);
    if (end !== undefined && file !== undefined) yield* this.findIn(file, key);
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<undefined> {
    const { task, clock } = context;
    this.clock = clock;
    const from = past?.prepared;
    this.opened = await holdClock(clock, this.openFile(context, from));
    if (this.opened.isStream) {
      context.cannotResume(`'${task}' writes to ${this.path}, a device or a pipe, from which no row can be removed`);
    }
  }

  abstract encode(record: In): string;

  write({ rows }: SinkRows<string>): void | Promise<void> {
    const writing = this.put(this.file, rows);
    return writing && holdClock(this.clock, writing);
  }

  prepare(): Promise<Json | undefined> {
    return holdClock(this.clock, this.file.persist());
  }

  async close(outcome: RunOutcome): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    if (opened === undefined) return;
    await holdClock(this.clock, outcome === 'completed' ? opened.finish() : opened.abandon());
  }

  /** Opens the file. @param from the point at which it continues. */
  protected abstract openFile(context: ConnectorContext, from: Json | undefined): Promise<File>;

  /** Writes the texts of records as soon as there is room for them. */
  protected abstract put(file: File, texts: readonly string[]): void | Promise<void>;

  /** Finds the records with this value in a file of the format. */
  protected abstract findIn(file: string, key: string): AsyncIterable<FoundRecord>;

  /** The open file. */
  protected get file(): File {
    if (this.opened === undefined) throw new TypeError('The sink is not open');
    return this.opened;
  }
}
