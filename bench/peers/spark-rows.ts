/** Rows of a query of Spark as records of a run. */
import { sparkSource } from 'millrace/spark';
import { sparkRemote } from '../spark-server.js';
import { rowsQuery, sumOf, valueOfRow, type BenchRow } from '../spark-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (rows) =>
  sumOf(sparkSource<BenchRow>({ remote: sparkRemote(), sql: rowsQuery(rows) }), valueOfRow);
