/**
 * Rows of Arrow as objects.
 *
 * Guarantees: no value is rounded, and no row is lost: two columns of one name are refused. The rows of a query have
 * one shape, so code that reads them stays fast.
 */
import type { Batch, Table } from '@uwdata/flechette';
import { assertDifferentColumns } from '../sql/query.js';
import { keyType, valueReader, type ReadValue } from './arrow-values.js';
import type { ArrowPackage } from './spark-packages.js';

/** A row by column name. */
export type SparkFields = Record<string, unknown>;

/** The rows of one message. */
export interface ArrowRows {
  readonly count: number;
  readonly columns: readonly string[];
  /** The row at an index. Throws MILLRACE_SQL for a value that no record can contain. */
  row(index: number): SparkFields;
  /** The value of one column of a row. */
  value(index: number, column: string): unknown;
  /** The SQL type of a column that may be part of a key; undefined for any other column. */
  keyTypeOf(column: string): string | undefined;
}

/**
 * Reads a message. Values are converted when their row is asked for. Throws MILLRACE_SQL for columns that records cannot
 * have.
 *
 * @param of names the query in messages
 */
export function readArrow(arrow: ArrowPackage, data: Uint8Array, of: string): ArrowRows {
  // The copy is aligned: 8-byte numbers must begin at a multiple of eight, but a batch begins anywhere in its message.
  const table: Table = arrow.tableFromIPC(new Uint8Array(data), { useBigInt: true, useDecimalInt: true });
  const { fields } = table.schema;
  const columns = fields.map(({ name }) => name);
  const readers = fields.map(({ name, type }, i): ReadValue => {
    const { data: batches } = table.getChildAt(i) as { readonly data: readonly Batch<unknown>[] };
    if (batches.length > 1) throw new TypeError('Expected a message of Spark to contain one batch of rows');
    const [batch] = batches;
    return batch === undefined ? () => null : valueReader(arrow, name, type, batch);
  });
  return {
    count: table.numRows,
    columns,
    row: rowMaker(columns, of)(readers),
    value: (index, column) => readers[columns.indexOf(column)]?.(index),
    keyTypeOf: (column) => {
      const type = fields.find(({ name }) => name === column)?.type;
      return type && keyType(arrow, type);
    },
  };
}

/** Makes the function that returns the row at an index, of the readers of its columns. */
type RowMaker = (readers: readonly ReadValue[]) => (index: number) => SparkFields;

/** Makers by the names of the columns. */
const makers = new Map<string, RowMaker>();
/** The most makers that are kept, because a process may execute an unlimited number of queries. */
const MOST_MAKERS = 64;
/** Rows with more columns are made in a loop: V8 keeps objects with so many properties as tables in any case. */
const MOST_COMPILED = 500;

function rowMaker(columns: readonly string[], of: string): RowMaker {
  const key = JSON.stringify(columns);
  let maker = makers.get(key);
  if (maker !== undefined) return maker;
  assertDifferentColumns(columns, of);
  maker = compiledMaker(columns) ?? loopOver(columns);
  if (makers.size === MOST_MAKERS) makers.clear();
  makers.set(key, maker);
  return maker;
}

/**
 * A maker with one object literal, and one place of a call per column, so that V8 gives all rows one shape and inlines
 * the readers. That takes half the time of a loop over the columns (DECISIONS.md, 181). Undefined if the process may
 * not compile text (`--disallow-code-generation-from-strings`).
 */
function compiledMaker(columns: readonly string[]): RowMaker | undefined {
  if (columns.length > MOST_COMPILED) return undefined;
  const names = columns.map((_, i) => `read${i}`).join(', ');
  // A text of JSON is a property name, and the only name with a meaning of its own, `__proto__`, has been refused.
  const properties = columns.map((name, i) => `${JSON.stringify(name)}: read${i}(index)`).join(', ');
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the names of columns are in it as texts of JSON
    return new Function(
      'readers',
      `'use strict'; const [${names}] = readers; return (index) => ({ ${properties} });`,
    ) as RowMaker;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function loopOver(columns: readonly string[]): RowMaker {
  return (readers) => (index) => {
    const row: SparkFields = {};
    for (let i = 0; i < columns.length; i++) row[columns[i] as string] = (readers[i] as ReadValue)(index);
    return row;
  };
}
