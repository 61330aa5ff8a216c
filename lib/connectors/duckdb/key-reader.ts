/**
 * The keys of the rows of a query. A resumed run continues after the last key.
 *
 * Guarantees: a key is kept as a text with its type in DuckDB, so a resumed run compares it as a value of that type. A
 * row without a key, or two rows with the same key, fail the run: such rows would be lost when the run is resumed.
 */
import type { DuckDBDataChunk, DuckDBValue } from '@duckdb/node-api';
import { MillraceError } from '../../connect/index.js';
import { assertKnownColumn } from '../sql/identifiers.js';
import { assertKey } from '../sql/keyset.js';
import { duckdbPackage } from './duckdb-package.js';
import type { ResultColumn } from './duckdb-session.js';

/** One value of a key. */
export interface KeyPart {
  readonly [name: string]: string;
  readonly text: string;
  /** The type in DuckDB. */
  readonly type: string;
}

export type Key = readonly KeyPart[];

export interface KeyReaderOptions {
  readonly task: string;
  readonly keyset: readonly string[];
  readonly columns: readonly ResultColumn[];
  /** The key after which the rows begin. */
  readonly last: Key | undefined;
}

export class KeyReader {
  private readonly options: KeyReaderOptions;
  private readonly places: readonly number[];
  private readonly types: readonly string[];
  private last: readonly string[] | undefined;
  /** The texts of each column of the key, in the current chunk. */
  private texts: readonly (readonly (string | null)[])[] = [];

  /**
   * Throws MILLRACE_INVALID_OPTION if a column of the keyset is missing, or of a type that cannot be compared as text.
   */
  constructor(options: KeyReaderOptions) {
    const { task, keyset, columns, last } = options;
    const names = columns.map(({ name }) => name);
    for (const name of keyset) assertKnownColumn(`The query of '${task}'`, name, names);
    this.options = options;
    this.places = keyset.map((name) => names.indexOf(name));
    this.types = this.places.map((at) => typeOf(task, columns[at] as ResultColumn));
    this.last = last?.map(({ text }) => text);
  }

  /** Reads the keys of a chunk. Throws MILLRACE_SQL if a row has no key, or the same key as the row before. */
  accept(chunk: DuckDBDataChunk): void {
    this.texts = this.places.map((at) => chunk.getColumnValues(at).map(textOf));
    const { task, keyset } = this.options;
    for (let row = 0; row < chunk.rowCount; row++) {
      const key = this.texts.map((texts) => texts[row] as string | null);
      assertKey(task, keyset, key, this.last);
      this.last = key as readonly string[];
    }
  }

  /** The key of a row of the current chunk. */
  keyOf(row: number): Key {
    return this.texts.map((texts, i) => ({ text: texts[row] as string, type: this.types[i] as string }));
  }
}

function textOf(value: DuckDBValue): string | null {
  if (typeof value === 'string') return value;
  return value === null ? null : String(value);
}

function typeOf(task: string, { name, type }: ResultColumn): string {
  const { DuckDBTypeId: Id } = duckdbPackage();
  const comparable: readonly number[] = [
    ...[Id.BOOLEAN, Id.TINYINT, Id.SMALLINT, Id.INTEGER, Id.BIGINT, Id.HUGEINT, Id.DECIMAL, Id.FLOAT, Id.DOUBLE],
    ...[Id.UTINYINT, Id.USMALLINT, Id.UINTEGER, Id.UBIGINT, Id.UHUGEINT, Id.VARCHAR, Id.UUID, Id.DATE, Id.TIME],
    ...[Id.TIMESTAMP, Id.TIMESTAMP_S, Id.TIMESTAMP_MS, Id.TIMESTAMP_NS],
  ];
  if (comparable.includes(type.typeId)) return type.alias === undefined ? type.toString() : 'VARCHAR';
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `The \`keyset\` of '${task}' cannot contain ${JSON.stringify(name)}, which is of the type ${type.toString()}. Choose columns with numbers, texts or dates`,
  );
}
