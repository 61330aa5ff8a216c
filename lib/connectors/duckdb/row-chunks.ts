/**
 * The chunks of a result as rows.
 *
 * Guarantees: two columns of the same name fail the run, because one of them would be lost.
 */
import type { DuckDBDataChunk } from '@duckdb/node-api';
import { assertDifferentColumns } from '../sql/query.js';
import { readingOf } from './duckdb-values.js';
import type { ChunkReader } from './duckdb-session.js';

/** A row by column name. */
export type DuckdbFields = Record<string, unknown>;

/** Returns a function that makes rows of a chunk. Throws MILLRACE_SQL for columns that cannot be read. */
export function rowMaker(
  { columns }: Pick<ChunkReader, 'columns'>,
  of: string,
): (chunk: DuckDBDataChunk) => DuckdbFields[] {
  const names = columns.map(({ name }) => name);
  assertDifferentColumns(names, of);
  const reads = columns.map((column) => readingOf(column, of));
  return (chunk) => {
    const rows: DuckdbFields[] = Array.from({ length: chunk.rowCount }, () => ({}));
    columns.forEach(({ name }, at) => {
      const values = chunk.getColumnValues(at);
      const read = reads[at] as (typeof reads)[number];
      for (let row = 0; row < rows.length; row++) {
        (rows[row] as DuckdbFields)[name] = read(values[row] ?? null);
      }
    });
    return rows;
  };
}

/** Whether a value of the row, at any depth, has this text. */
export function containsText(value: unknown, text: string): boolean {
  if (value instanceof Date) return value.toISOString() === text;
  if (typeof value === 'object' && value !== null) return Object.values(value).some((part) => containsText(part, text));
  return String(value) === text;
}

/** The row as one line. */
export function printed(row: DuckdbFields): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}
