/** Totals of members by SQL of Spark, as records of a run. */
import { sparkSource } from 'millrace/spark';
import { totalsOf, type MemberTotal } from '../duckdb-work.js';
import { sparkRemote } from '../spark-server.js';
import { memberView, sumOf } from '../spark-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (rows) =>
  sumOf(
    sparkSource<MemberTotal>({ remote: sparkRemote(), setup: await memberView(rows), sql: totalsOf('members') }),
    valueOfTotal,
  );

export const valueOfTotal = ({ points, revenue, last }: MemberTotal): number =>
  points + Math.floor(revenue * 1000) + last.length;
