/**
 * The tables in which sinks store the progress of runs, beside the tables with the rows.
 *
 * Guarantees: several processes may create the tables at the same time. The tables are created only if they are
 * missing, so another user can create them for a user without that right.
 */
import { quoted } from '../sql/identifiers.js';
import type { PostgresSession } from './postgres-session.js';

/** The names of the tables, quoted. */
export interface ProgressTables {
  readonly sinks: string;
  readonly ranges: string;
  readonly names: string;
}

export function progressTables(schema: string): ProgressTables {
  const [sinks, ranges, names] = ['sinks', 'ranges', 'names'].map((name) => `${quoted(schema)}.millrace_${name}`);
  return { sinks: sinks as string, ranges: ranges as string, names: names as string };
}

/** Two processes that create one table at once: the second one meets the row of the first in a catalog. */
const CREATED_MEANWHILE = new Set(['23505', '42P07', '42710']);

export async function createProgressTables(session: PostgresSession, tables: ProgressTables): Promise<void> {
  const { rows } = await session.query(
    'SELECT bool_and(to_regclass(name) IS NOT NULL) AS known FROM unnest($1::text[]) AS name',
    [Object.values(tables)],
  );
  if (rows[0]?.['known'] === true) return;
  for (const statement of statementsOf(tables)) {
    try {
      await session.query(statement);
    } catch (error) {
      if (!CREATED_MEANWHILE.has((error as { readonly code: string }).code)) throw error;
    }
  }
}

function statementsOf({ sinks, ranges, names }: ProgressTables): readonly string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${sinks} (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run text NOT NULL, task text NOT NULL, target text NOT NULL,
      incarnation bigint NOT NULL, opened_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (run, task, target))`,
    `CREATE TABLE IF NOT EXISTS ${ranges} (
      sink bigint NOT NULL, root text NOT NULL, partition bigint NOT NULL, first bigint NOT NULL, past bigint NOT NULL,
      PRIMARY KEY (sink, root, partition, first)) WITH (fillfactor = 50)`,
    `CREATE TABLE IF NOT EXISTS ${names} (
      sink bigint NOT NULL, root text NOT NULL, partition bigint NOT NULL, name text NOT NULL, epoch bigint NOT NULL,
      PRIMARY KEY (sink, root, partition, name))`,
  ];
}
