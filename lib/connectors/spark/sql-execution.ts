/** Executes one statement of SQL to its end, and returns its rows. */
import { arrowPackage } from './spark-packages.js';
import { readArrow, type SparkFields } from './arrow-rows.js';
import { Execution, type ExecutionContext, type ExecutionLimits } from './execution.js';
import { sqlRelation, type SparkValue } from './literals.js';
import type { Plan } from './protocol/messages.js';
import type { SparkSession } from './spark-session.js';

/** A statement, with its session and the limits of its execution. */
export interface SqlExecution {
  readonly session: SparkSession;
  readonly sql: string;
  readonly args?: Readonly<Record<string, SparkValue>> | undefined;
  /** Names the statement in messages. */
  readonly of: string;
  readonly context: ExecutionContext;
  readonly limits: ExecutionLimits;
  /** Called with each execution, which can be closed to cancel it. */
  readonly whenBegun?: (execution: Execution) => void;
}

/** Executes a statement or a query. Resolves with all of its rows. Rejects as `Execution.next`. */
export async function executeSql(given: SqlExecution): Promise<readonly SparkFields[]> {
  const command = await runPlan({ command: { sql: { input: sqlRelation(given.sql, given.args) } } }, given);
  const { relation } = command;
  if (relation === undefined) return command.rows;
  // The rows of a command, which was executed, are in the answer. A query is executed only now.
  if (relation.local !== undefined)
    return relation.local.data === undefined ? [] : rowsOf(relation.local.data, given.of);
  return (await runPlan({ root: relation }, given)).rows;
}

interface Outcome {
  readonly rows: readonly SparkFields[];
  readonly relation: Plan['root'];
}

async function runPlan(plan: Plan, { session, of, context, limits, whenBegun }: SqlExecution): Promise<Outcome> {
  const execution = new Execution(session, plan, of, context, limits);
  whenBegun?.(execution);
  const rows: SparkFields[] = [];
  let relation: Plan['root'];
  try {
    for (let answer = await execution.next(); answer !== null; answer = await execution.next()) {
      if (answer.arrow?.data !== undefined) rows.push(...rowsOf(answer.arrow.data, of));
      if (answer.sqlResult !== undefined) relation = answer.sqlResult.relation;
    }
  } finally {
    await execution.close();
  }
  return { rows, relation };
}

function rowsOf(data: Uint8Array, of: string): SparkFields[] {
  const rows = readArrow(arrowPackage(), data, of);
  return Array.from({ length: rows.count }, (_, i) => rows.row(i));
}
