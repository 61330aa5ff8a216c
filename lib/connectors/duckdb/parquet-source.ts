/**
 * Parquet files as a source: one record per row, in the order of the file.
 *
 * Guarantees: memory does not depend on the size of a file. A resumed run continues at the row that it needs. The
 * failure policy ends a row that does not fit the schema.
 */
import {
  checkOptions,
  connectorSource,
  describeThrown,
  names,
  Rejected,
  SOURCE_RULES,
  standardSchema,
  type FoundRecord,
  type OptionRules,
  type Schema,
  type SourceOptions,
  type SourcePosition,
  type SourceTask,
  taskOptionsOf,
} from '../../connect/index.js';
import type { FileStore } from '../../connect/files.js';
import { fileStore, pathOrFiles, type FileSelection } from '../files/file-selection.js';
import { FileSource } from '../files/file-source.js';
import { findItems } from '../files/find-items.js';
import type { RowReader } from '../files/row-reader.js';
import { recordOfRow } from '../sql/query.js';
import { assertDuckdb } from './duckdb-package.js';
import { openParquetReader } from './parquet-reader.js';
import { containsText, printed, type DuckdbFields } from './row-chunks.js';

/** Options of `parquetSource`: the files, their columns, and the type of their records. */
export interface ParquetSourceOptions<Out> extends SourceOptions<Out> {
  /**
   * A file, or several as `files('in/*.parquet')`. An `s3://` URL is a file of an object store, which is copied to the
   * disk while it is read.
   */
  readonly path: string | FileSelection;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore;
  /** The columns that are read; others are not even decoded. Default: all. */
  readonly columns?: readonly string[];
  /**
   * Types the fields of a row. The result of the validation is the record. Default: the values that the table in the
   * guide lists.
   */
  readonly schema?: Schema<Out>;
}

const RULES: OptionRules<ParquetSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  path: pathOrFiles,
  store: fileStore,
  columns: names,
  schema: standardSchema,
};

/**
 * Reads the rows of Parquet files, in memory that does not depend on their size. The failure policy ends a row that
 * does not fit the schema. Throws MILLRACE_INVALID_OPTION for options that do not fit, and MILLRACE_MISSING_PACKAGE
 * without @duckdb/node-api. A run fails with MILLRACE_FILE for a file that is missing or no Parquet file.
 *
 * @example parquetSource({ path: 'sales.parquet', columns: ['id', 'points'] })
 * @example parquetSource({ path: files('in/*.parquet', { parallel: 2 }) })
 */
export function parquetSource<Out = DuckdbFields>(options: ParquetSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a parquetSource', options, RULES, ['path']);
  assertDuckdb();
  return connectorSource(new ParquetSource(options), taskOptionsOf(options));
}

/** Parquet files as a `Source`. `parquetSource` makes a task of them. */
export class ParquetSource<Out> extends FileSource<DuckdbFields, Out> {
  readonly kind = 'parquet source';
  readonly checkpointFormat = 'parquet source';
  private readonly options: ParquetSourceOptions<Out>;

  constructor(options: ParquetSourceOptions<Out>) {
    super(options.path, options.store);
    this.options = options;
  }

  protected openFile(
    path: string,
    at: SourcePosition | undefined,
    signal: AbortSignal | undefined,
  ): Promise<RowReader<DuckdbFields>> {
    const start = at === undefined ? 0 : ((at['start'] as number | undefined) ?? 0);
    const { store, columns } = this.options;
    return openParquetReader({ path, store, columns, start, signal });
  }

  protected recordOf(row: DuckdbFields, path: string): Out | Rejected {
    return recordOfRow(this.options.schema, row, path);
  }

  protected async *findIn(path: string, key: string): AsyncGenerator<FoundRecord> {
    const open = (): Promise<RowReader<DuckdbFields>> => this.openFile(path, undefined, undefined);
    for await (const { item, index } of findItems(open, (row) => containsText(row, key))) {
      const left = this.recordOf(item, path);
      const fate = left instanceof Rejected ? `given up: ${describeThrown(left.error)}` : 'read';
      yield {
        where: `${path}, row ${index + 1}`,
        what: `${fate}: ${printed(item)}`,
        lineage: index,
        isOver: fate !== 'read',
      };
    }
  }
}
