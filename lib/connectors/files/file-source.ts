/**
 * One file, or several, as a source. A format opens a file, and converts its rows to records.
 *
 * Guarantees: memory does not depend on the size of a file. A resumed run continues shortly before the row that it
 * needs.
 */
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  holdClock,
  MillraceError,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type Json,
  type Rejected,
  type Skip,
  type Source,
  type SourcePartition,
  type SourcePast,
  type SourcePosition,
  type TouchedFile,
} from '../../connect/index.js';
import type { FileStore } from '../../connect/files.js';
import { identifyAt } from './identify-at.js';
import { datasetAt, isInStore, storeOf, touchedAt } from './file-place.js';
import { FileRows } from './file-rows.js';
import type { FileSelection } from './file-selection.js';
import type { RowReader } from './row-reader.js';
import { SelectedFiles } from './selected-files.js';

export abstract class FileSource<Item, Out> implements Source<Out> {
  abstract readonly kind: string;
  readonly isPartitioned: boolean;
  private readonly given: string | FileSelection;
  private readonly store: FileStore | undefined;
  /** Undefined for one file. */
  private readonly selected: SelectedFiles<Item, Out> | undefined;

  /** @param store the store of paths that are URLs; default: the one of their scheme. */
  protected constructor(path: string | FileSelection, store?: FileStore) {
    this.given = path;
    this.store = store;
    this.isPartitioned = typeof path !== 'string';
    if (typeof path === 'string') return;
    this.selected = new SelectedFiles<Item, Out>(path, store, {
      open: (file, at, signal) => this.openFile(file, at, signal),
      recordOf: (item, file) => this.recordOf(item, file),
      find: (file, key) => this.findIn(file, key),
    });
  }

  get dataset(): Dataset {
    return datasetAt(nameOf(this.given));
  }

  files(): readonly TouchedFile[] {
    return this.selected?.files() ?? [touchedAt(this.path, 'read')];
  }

  identify(): Promise<Json> {
    return this.selected?.identify() ?? identifyAt(this.path, this.store);
  }

  find(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord> {
    if (this.selected !== undefined) return this.selected.find(key);
    return isStream(this.path) ? [] : this.findIn(this.path, key);
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    if (this.selected !== undefined) return this.selected.open(context, past);
    const { path } = this;
    const { clock, task } = context;
    if (isStream(path)) {
      if (past !== undefined) throw cannotReadAgain(path);
      context.cannotResume(`'${task}' reads ${path}, a device or a pipe, which cannot be read again`);
    }
    const opening = new Opening(context);
    try {
      const reader = await holdClock(clock, this.openFile(path, past?.position, opening.signal));
      const size = await holdClock(clock, this.sizeOf(path));
      const from = past?.position?.lineage ?? 0;
      return [new FileRows({ reader, recordOf: (item: Item) => this.recordOf(item, path), from, size, clock })];
    } catch (error) {
      if (opening.hasEnded) return [NO_ROWS];
      throw error;
    } finally {
      opening.finish();
    }
  }

  nextPartitions(): Promise<readonly SourcePartition<Out>[] | null> {
    return this.selected?.nextPartitions() ?? Promise.resolve(null);
  }

  close(): void {
    this.selected?.close();
  }

  /** Opens a file, at a position that an earlier reader of it has returned. */
  protected abstract openFile(
    path: string,
    at: SourcePosition | undefined,
    signal: AbortSignal,
  ): Promise<RowReader<Item>>;

  /** Converts a row to a record. */
  protected abstract recordOf(item: Item, path: string): Out | Skip | Rejected;

  /** Finds the rows of a file that contain a value. */
  protected abstract findIn(path: string, key: string): AsyncIterable<FoundRecord>;

  private async sizeOf(path: string): Promise<number> {
    const store = await storeOf(path, this.store);
    const { size } = (await (store === undefined ? stat(path) : store.find(path))) ?? { size: 0 };
    return size;
  }

  /** The path of the one file. */
  private get path(): string {
    return this.given as string;
  }
}

/** True for a device, a pipe or a socket, which has no offsets and whose bytes can be read once. */
export function isStream(path: string): boolean {
  if (isInStore(path)) return false;
  try {
    const facts = statSync(path, { throwIfNoEntry: false });
    return facts !== undefined && !facts.isFile() && !facts.isDirectory();
  } catch {
    // The code that reads the file reports the error.
    return false;
  }
}

/** The bytes that were read before are gone, and a new pipe cannot be distinguished from the old one. */
function cannotReadAgain(path: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `Cannot continue to read ${path}: it is a device or a pipe, which cannot be read again. Start a new run, and write the input to a file for runs that can be resumed`,
  );
}

/** The partition of a source that ended while its file was opened. */
const NO_ROWS: SourcePartition<never> = { partition: 0, read: () => null };

/** Aborts the opening of a file when the run drains or aborts: the writer of a pipe may be silent for ever. */
class Opening {
  hasEnded = false;
  private isOver = false;
  private readonly ending = new AbortController();
  /** Aborts when the opening should end, and afterwards only when the run aborts. */
  readonly signal: AbortSignal;

  constructor(context: ConnectorContext) {
    this.signal = AbortSignal.any([context.signal, this.ending.signal]);
    context.whenEnding(() => {
      // A source that is open is closed by the engine.
      if (this.isOver) return;
      this.hasEnded = true;
      this.ending.abort();
    });
  }

  finish(): void {
    this.isOver = true;
  }
}

/** The path of one file, or the name of several. */
export function nameOf(path: string | FileSelection): string {
  return typeof path === 'string' ? path : path.name;
}
