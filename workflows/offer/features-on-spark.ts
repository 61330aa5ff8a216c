/**
 * The features of each member, computed by Apache Spark: its SQL reads the member file and groups the rows by member,
 * and its executors fold them with the same aggregate and the same schema as the stream.
 *
 * Guarantees: the features are those of the stream, to the last bit.
 */
import { resolve } from 'node:path';
import type { SourceTask } from 'millrace';
import { onSpark } from 'millrace/spark';
import { threadedMemberAggregate, type MemberFeatures } from './features.js';
import { MEMBER_COLUMNS, TransactionRow } from './transaction.js';

/**
 * @param options.path the member file, which the executors find under the same path.
 * @param options.asOf the moment up to which days are counted, in milliseconds since 1970.
 */
export function featuresOnSpark(options: {
  readonly remote: string;
  readonly path: string;
  readonly asOf: number;
}): SourceTask<MemberFeatures> {
  const path = resolve(options.path).replace(/[\\']/g, '\\$&');
  const columns = MEMBER_COLUMNS.join(', ');
  // A row with an empty field is left out, as the stream skips it.
  const isComplete = MEMBER_COLUMNS.map((name) => `${name} <> ''`).join(' AND ');
  return onSpark(threadedMemberAggregate(options.asOf), {
    remote: options.remote,
    setup: [
      `CREATE TEMPORARY VIEW transactions USING csv OPTIONS (path '${path}', header 'true', escape '"', mode 'FAILFAST')`,
    ],
    // The later one of two transactions in one second counts as the more recent, so rows are ordered by their id, which
    // follows the order of the rows in one file.
    sql: `SELECT * FROM (SELECT ${columns}, monotonically_increasing_id() AS row FROM transactions) WHERE ${isComplete}`,
    key: 'memberId',
    orderBy: ['row'],
    schema: TransactionRow,
  });
}
