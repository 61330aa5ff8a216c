/** The same query as a source of a run that can be resumed after each member. */
import { defineWorkflow, sinkTask } from 'millrace';
import { duckdbSource } from 'millrace/duckdb';
import { Checksum, totalsOf, type MemberTotal } from '../duckdb-work.js';
import { memberFile } from '../member-file.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (rows) => {
  const path = await memberFile(rows);
  const checksum = new Checksum();
  const flow = defineWorkflow({
    name: 'Totals',
    build: (builder) =>
      builder
        .task(
          'Members',
          duckdbSource<MemberTotal>({
            sql: totalsOf('members'),
            files: { members: { path, options: 'all_varchar = true' } },
            keyset: ['memberId'],
          }),
        )
        .task(
          'Sum',
          ['Members'],
          sinkTask((total) => {
            checksum.add(total);
          }),
        ),
  });
  await flow.run().finished;
  return checksum.value;
};
