/**
 * A Parquet file as a sink: one row per record, in root order.
 *
 * Guarantees: the rows go to part files beside the result. When the whole run has completed, they are joined and get
 * the name `path`, so a reader never sees a partial result. A run that is resumed continues after the rows of its last
 * checkpoint. A record that does not fit the columns ends by the failure policy, without other records.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DuckDBValue } from '@duckdb/node-api';
import {
  callback,
  checkOptions,
  connectorSink,
  count,
  flag,
  holdClock,
  oneOf,
  TASK_RULES,
  fieldsOfRow,
  UnseenColumns,
  type Clock,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type OptionRules,
  type RunOutcome,
  type Sink,
  type SinkPast,
  type SinkRows,
  type Task,
  type TaskOptions,
  type TouchedFile,
  taskOptionsOf,
  text,
} from '../../connect/index.js';
import { fileError, ownerFileOf, resultPathOf, touchedFile, type FileStore } from '../../connect/files.js';
import { datasetAt, isInStore, storeOf, touchedAt } from '../files/file-place.js';
import { fileStore } from '../files/file-selection.js';
import { findItems } from '../files/find-items.js';
import { assertResultPlace } from '../files/result-file.js';
import { columnTypes, quoted } from '../sql/identifiers.js';
import { writingOf } from './column-values.js';
import { assertDuckdb, duckdbPackage } from './duckdb-package.js';
import { DuckdbSession, type ResultColumn } from './duckdb-session.js';
import { literal } from './input-files.js';
import { missingPart, newToken, ParquetParts, partPath, type PartsPoint } from './parquet-parts.js';
import { openParquetPlace, type ParquetPlace } from './parquet-place.js';
import { openParquetReader, pathLiteral } from './parquet-reader.js';
import { containsText, printed } from './row-chunks.js';

/** Options of `parquetSink`: where the file goes, its columns, and how a record becomes a row. */
export interface ParquetSinkOptions<In, Column extends string> extends TaskOptions<In, In> {
  /**
   * The path of the result. An existing file is replaced if its name ends in .parquet, or if it is a Parquet file.
   * An `s3://` URL is a file of an object store, which is made on the disk first.
   */
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore;
  /** The columns, in order, with their types in DuckDB: `{ id: 'BIGINT', tags: 'VARCHAR[]' }`. */
  readonly columns: { readonly [Key in Column]: string };
  /** The fields of a record. Default: the record's own properties. */
  readonly row?: (record: In) => { readonly [Key in Column]?: unknown };
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
  /** Default `snappy`, which every reader knows. */
  readonly compression?: 'snappy' | 'zstd' | 'gzip' | 'uncompressed';
  /** Rows per row group, at least 2,048. This number of rows is kept in memory. Default 122,880. */
  readonly rowGroupRows?: number;
}

/** The size of a vector of DuckDB. */
const CHUNK_ROWS = 2048;

const RULES: OptionRules<ParquetSinkOptions<unknown, string>> = {
  ...TASK_RULES,
  path: text,
  store: fileStore,
  columns: columnTypes,
  row: callback,
  ordered: flag,
  compression: oneOf('snappy', 'zstd', 'gzip', 'uncompressed'),
  rowGroupRows: count(CHUNK_ROWS),
};

/**
 * Writes one row per record. The file appears under its name only when the run has completed. The failure policy ends a
 * record that does not fit the columns; other records continue. Throws MILLRACE_INVALID_OPTION for options that do not
 * fit, and MILLRACE_MISSING_PACKAGE without @duckdb/node-api.
 *
 * @example parquetSink({ path: 'offers.parquet', columns: { id: 'VARCHAR', at: 'TIMESTAMP', scores: 'DOUBLE[]' } })
 */
export function parquetSink<In, const Column extends string>(options: ParquetSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a parquetSink', options, RULES, ['path', 'columns']);
  assertDuckdb();
  return connectorSink(new ParquetSink(options), taskOptionsOf(options));
}

type Row = readonly DuckDBValue[];

/** A Parquet file as a `Sink`. `parquetSink` makes a task of it. */
export class ParquetSink<In, Column extends string> implements Sink<In, Row> {
  readonly kind = 'parquet sink';
  readonly checkpointFormat = 'parquet sink';
  private readonly options: ParquetSinkOptions<In, Column>;
  private clock: Pick<Clock, 'hold'> = {};
  private file: OpenParquetFile | undefined;
  private writes: readonly (readonly [string, (value: unknown) => DuckDBValue])[] = [];
  private task = '';
  private context: ConnectorContext | undefined;
  private unseen = new UnseenColumns([]);

  constructor(options: ParquetSinkOptions<In, Column>) {
    this.options = options;
  }

  get dataset(): Dataset {
    const { path, columns } = this.options;
    return { ...datasetAt(path), fields: Object.keys(columns) };
  }

  files(): readonly TouchedFile[] {
    const { path } = this.options;
    if (isInStore(path)) return [touchedAt(path, 'write')];
    const end = resultPathOf(path) ?? path;
    const onTheWay = [`${end}.part`, ownerFileOf(`${end}.part`)];
    return [touchedFile(path, 'write'), ...onTheWay.map((part) => touchedFile(part, 'write', path))];
  }

  check(): Promise<void> {
    return assertResultPlace(this.options.path, this.options.store);
  }

  async *find(key: string): AsyncGenerator<FoundRecord> {
    const { path, store } = this.options;
    const place = await storeOf(path, store);
    const isThere = await (place === undefined ? stat(path).then((facts) => facts.isFile()) : place.find(path)).catch(
      () => undefined,
    );
    if (isThere === undefined || isThere === false) return;
    const reader = { path, store, columns: undefined, start: 0, signal: undefined };
    for await (const { item, index } of findItems(
      () => openParquetReader(reader),
      (row) => containsText(row, key),
    )) {
      yield { where: `${path}, row ${index + 1}`, what: printed(item) };
    }
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<undefined> {
    this.task = context.task;
    this.context = context;
    this.unseen = new UnseenColumns(Object.keys(this.options.columns), past);
    this.clock = context.clock;
    const from = past?.prepared as PartsPoint | undefined;
    this.file = await holdClock(context.clock, OpenParquetFile.open(this.options, context, from));
    this.writes = this.file.columns.map((column) => [column.name, writingOf(column, context.task)]);
  }

  encode(record: In): Row {
    const { row } = this.options;
    const fields = fieldsOfRow(row === undefined ? record : row(record), this.task);
    this.unseen.look(fields);
    return this.writes.map(([name, write]) => write(fields[name]));
  }

  write({ rows }: SinkRows<Row>): Promise<void> {
    return holdClock(this.clock, this.opened.write(rows));
  }

  prepare(): Promise<PartsPoint> {
    return holdClock(this.clock, this.opened.persist());
  }

  async close(outcome: RunOutcome): Promise<void> {
    const { file, context } = this;
    this.file = undefined;
    this.context = undefined;
    if (outcome === 'completed' && context !== undefined) this.unseen.report(context);
    if (file !== undefined) await holdClock(this.clock, outcome === 'completed' ? file.finish() : file.abandon());
  }

  private get opened(): OpenParquetFile {
    if (this.file === undefined) throw new TypeError('The sink is not open');
    return this.file;
  }
}

/** The options that concern the file. */
type FileOptions = Pick<
  ParquetSinkOptions<never, string>,
  'path' | 'store' | 'columns' | 'compression' | 'rowGroupRows'
>;

interface OpenParts {
  readonly path: string;
  readonly place: ParquetPlace;
  readonly session: DuckdbSession;
  readonly columns: readonly ResultColumn[];
  readonly parts: ParquetParts;
  /** The options of COPY. */
  readonly format: string;
  readonly groupRows: number;
}

/** A result that is being written. */
class OpenParquetFile {
  readonly columns: readonly ResultColumn[];
  private readonly open: OpenParts;
  /** Rows that are not in DuckDB yet. */
  private rows: Row[] = [];
  /** The number of rows in the table of DuckDB. */
  private buffered = 0;

  private constructor(open: OpenParts) {
    this.open = open;
    this.columns = open.columns;
  }

  static async open(
    { path, store, columns, compression = 'snappy', rowGroupRows = 122_880 }: FileOptions,
    { task, signal }: ConnectorContext,
    from: PartsPoint | undefined,
  ): Promise<OpenParquetFile> {
    const place = await openParquetPlace(path, await storeOf(path, store), { isNew: from === undefined, signal });
    let session: DuckdbSession | undefined;
    try {
      const parts = await ParquetParts.open(place, from && (await bringBack(place, from)));
      session = await DuckdbSession.open(signal);
      const list = Object.entries(columns).map(([name, type]) => `${quoted(name)} ${type}`);
      const of = `The columns of '${task}'`;
      await session.run(of, `CREATE TABLE buffered (${list.join(', ')})`);
      return new OpenParquetFile({
        ...{ path, place, session, parts },
        columns: await session.columnsOf(of, 'buffered'),
        format: `FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${rowGroupRows}`,
        groupRows: rowGroupRows,
      });
    } catch (error) {
      await session?.close();
      await place.release();
      throw error;
    }
  }

  async write(rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      this.rows.push(row);
      if (this.rows.length === CHUNK_ROWS) await this.append();
    }
    if (this.buffered >= this.open.groupRows) await this.addPart();
  }

  /** Makes the rows so far durable, and returns the point after them. */
  async persist(): Promise<PartsPoint> {
    await this.addPart();
    return this.open.parts.point;
  }

  /** Joins the parts and gives the result its name. */
  async finish(): Promise<void> {
    const { path, place, session, parts, format } = this.open;
    try {
      await this.addPart();
      const { rows, series } = parts.point;
      const list = (await parts.locals()).map(pathLiteral).join(', ');
      const from = rows === 0 ? 'buffered' : `read_parquet([${list}])`;
      // The file names the parts that it was made of, so a run that died before it recorded its end recognises its
      // result.
      const metadata = `KV_METADATA {${MADE_OF}: ${literal(JSON.stringify(series))}}`;
      await place.publish((local) =>
        session.run(path, `COPY (SELECT * FROM ${from}) TO ${literal(resolve(local))} (${format}, ${metadata})`),
      );
      await parts.remove();
    } catch (error) {
      throw fileError('write', path, error);
    } finally {
      await this.release();
    }
  }

  /** Keeps the parts. */
  abandon(): Promise<void> {
    return this.release();
  }

  private async release(): Promise<void> {
    await this.open.session.close();
    await this.open.place.release();
  }

  /** Moves the rows to the table of DuckDB. */
  private async append(): Promise<void> {
    const { rows } = this;
    if (rows.length === 0) return;
    this.rows = [];
    const { DuckDBDataChunk } = duckdbPackage();
    const chunk = DuckDBDataChunk.create(
      this.columns.map(({ type }) => type),
      rows.length,
    );
    chunk.setRows(rows);
    await this.open.session.append('buffered', chunk);
    this.buffered += rows.length;
  }

  private async addPart(): Promise<void> {
    await this.append();
    const { buffered } = this;
    if (buffered === 0) return;
    const { path, place, session, parts, format } = this.open;
    place.assertHeld();
    try {
      await parts.add(buffered, (part) => session.run(path, `COPY buffered TO ${literal(resolve(part))} (${format})`));
      await session.run(path, 'TRUNCATE buffered');
    } catch (error) {
      throw fileError('write', path, error);
    }
    this.buffered = 0;
  }
}

/** The key in the metadata of a result. */
const MADE_OF = 'millrace_parts';

/**
 * If an earlier incarnation has already given the result its name and removed parts, the result is their only copy:
 * a copy of it becomes the first part, and the result stays until the run has completed again.
 */
async function bringBack(place: ParquetPlace, from: PartsPoint): Promise<PartsPoint> {
  const { series, rows } = from;
  // The earlier incarnation may have died after it had removed some of the parts.
  if ((await missingPart(place, from)) === undefined) return from;
  const result = await place.localResult();
  if (result === undefined || (await madeOf(result)) !== JSON.stringify(series)) return from;
  const token = newToken();
  await place.adopt(result, partPath(place.end, token, 0));
  return { series: [{ token, parts: 1 }], rows };
}

/** The parts that the metadata of a result names; undefined if it names none, or if the file is no Parquet file. */
async function madeOf(path: string): Promise<unknown> {
  const session = await DuckdbSession.open();
  try {
    const [[value] = []] = await session.rows(
      path,
      `SELECT decode(value) FROM parquet_kv_metadata(${pathLiteral(path)}) WHERE decode(key) = ${literal(MADE_OF)}`,
    );
    return value;
  } catch {
    // The caller then reports the missing parts.
    return undefined;
  } finally {
    await session.close();
  }
}
