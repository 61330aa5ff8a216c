/**
 * The messages of the same query, which are in memory already, decoded to objects by the package that reads Arrow
 * (Flechette, the faster of the two packages for JavaScript): neither a connection nor a run.
 */
import { Execution } from '#lib/connectors/spark/execution.js';
import { sqlRelation } from '#lib/connectors/spark/literals.js';
import { arrowPackage } from '#lib/connectors/spark/spark-packages.js';
import { SparkSession } from '#lib/connectors/spark/spark-session.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { sparkRemote } from '../spark-server.js';
import { rowsQuery, valueOfRow, type BenchRow } from '../spark-work.js';
import type { SideRun } from '../side-run.js';

const fetched = new Map<number, Promise<readonly Uint8Array[]>>();

export const run: SideRun = async (rows) => {
  if (!fetched.has(rows)) fetched.set(rows, messagesOf(rows));
  let sum = 0;
  for (const message of (await fetched.get(rows)) ?? []) {
    // The package cannot read a batch that is not aligned, and a message begins anywhere.
    const rows = arrowPackage().tableFromIPC(new Uint8Array(message)).toArray();
    for (const row of rows as unknown as readonly BenchRow[]) sum += valueOfRow(row);
  }
  return sum;
};

async function messagesOf(rows: number): Promise<readonly Uint8Array[]> {
  const session = new SparkSession({ remote: sparkRemote() });
  const limits = { retryForMs: undefined, noProgressMs: 600_000 };
  const plan = { root: sqlRelation(rowsQuery(rows)) };
  const execution = new Execution(session, plan, 'The query', contextOfTest('Rows'), limits);
  const messages: Uint8Array[] = [];
  for (let answer = await execution.next(); answer !== null; answer = await execution.next()) {
    if (answer.arrow?.data !== undefined) messages.push(answer.arrow.data);
  }
  await execution.close();
  await session.end();
  session.disconnect();
  return messages;
}
