/**
 * One file, or several, as a source. A format opens a file, and makes records of its rows.
 *
 * Guarantees: memory does not depend on the size of a file. A resumed run continues shortly before the row that it needs.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  holdClock,
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
import { identifyFile, touchedFile } from '../../connect/files.js';
import { FileRows } from './file-rows.js';
import type { FileSelection } from './file-selection.js';
import type { RowReader } from './row-reader.js';
import { SelectedFiles } from './selected-files.js';

export abstract class FileSource<Item, Out> implements Source<Out> {
  abstract readonly kind: string;
  readonly isPartitioned: boolean;
  private readonly given: string | FileSelection;
  /** Undefined for one file. */
  private readonly selected: SelectedFiles<Item, Out> | undefined;

  protected constructor(path: string | FileSelection) {
    this.given = path;
    this.isPartitioned = typeof path !== 'string';
    if (typeof path === 'string') return;
    this.selected = new SelectedFiles<Item, Out>(path, {
      open: (file, at, signal) => this.openFile(file, at, signal),
      recordOf: (item, file) => this.recordOf(item, file),
      find: (file, key) => this.findIn(file, key),
    });
  }

  get dataset(): Dataset {
    return { namespace: 'file', name: resolve(nameOf(this.given)) };
  }

  files(): readonly TouchedFile[] {
    return this.selected?.files() ?? [touchedFile(this.path, 'read')];
  }

  identify(): Promise<Json> {
    return this.selected?.identify() ?? identifyFile(this.path);
  }

  find(key: string): AsyncIterable<FoundRecord> {
    return this.selected?.find(key) ?? this.findIn(this.path, key);
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    if (this.selected !== undefined) return this.selected.open(context, past);
    const { path } = this;
    const { clock, signal } = context;
    const reader = await holdClock(clock, this.openFile(path, past?.position, signal));
    const { size } = await holdClock(clock, stat(path));
    const from = past?.position?.lineage ?? 0;
    return [new FileRows({ reader, recordOf: (item: Item) => this.recordOf(item, path), from, size, clock })];
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

  /** Makes the record of a row. */
  protected abstract recordOf(item: Item, path: string): Out | Skip | Rejected;

  /** Finds the rows of a file that contain a value. */
  protected abstract findIn(path: string, key: string): AsyncIterable<FoundRecord>;

  /** The path of the one file. */
  private get path(): string {
    return this.given as string;
  }
}

/** The path of one file, or the name of several. */
export function nameOf(path: string | FileSelection): string {
  return typeof path === 'string' ? path : path.name;
}
