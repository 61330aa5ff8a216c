/** The same totals by an aggregate over the rows of the file, in one thread of this process. */
import { aggregateTask, defineWorkflow, sinkTask, skip, type Skip } from 'millrace';
import { csvSource } from 'millrace/csv';
import type { MemberTotal } from '../duckdb-work.js';
import { memberFile } from '../member-file.js';
import type { SideRun } from '../side-run.js';
import { valueOfTotal } from './spark-totals.js';

const COLUMNS = [
  'memberId',
  'lastTransactionUtcTs',
  'lastTransactionType',
  'lastTransactionPointsBought',
  'lastTransactionRevenueUSD',
] as const;

export const run: SideRun = async (rows) => {
  const path = await memberFile(rows);
  let sum = 0;
  const flow = defineWorkflow({
    name: 'Totals',
    build: (build) =>
      build
        .task('Rows', csvSource<Row>({ path, columns: COLUMNS }))
        .task(
          'Totals',
          ['Rows'],
          aggregateTask({
            key: ({ memberId }: Row) => memberId,
            init: () => ({ points: 0, revenue: -Infinity, last: '' }),
            add: (total, row: Row) => {
              if (row.memberId === '' || row.lastTransactionType === '') return total;
              total.points += Number(row.lastTransactionPointsBought);
              total.revenue = Math.max(total.revenue, Number(row.lastTransactionRevenueUSD));
              if (row.lastTransactionUtcTs > total.last) total.last = row.lastTransactionUtcTs;
              return total;
            },
            // SQL has no group of a member without complete rows.
            finish: (total, memberId): MemberTotal | Skip =>
              total.last === '' ? skip('no complete row') : { memberId, ...total },
          }),
        )
        .task(
          'Sum',
          ['Totals'],
          sinkTask((total: MemberTotal) => {
            sum += valueOfTotal(total);
          }),
        ),
  });
  await flow.run(undefined, { window: 4096 }).finished;
  return sum;
};

type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;
