/** Extract and Transform of OfferWorkFlow over a generated member file, with almost no work after them. */
import { csvSource } from 'millrace/csv';
import { defineWorkflow, sinkTask } from 'millrace';
import type { MemberFeatures } from '#workflows/offer/features.js';
import { memberFeatures } from '#workflows/offer/member-features.js';
import { MEMBER_COLUMNS, TransactionRow } from '#workflows/offer/transaction.js';
import { memberFile } from './member-file.js';

const AS_OF = Date.UTC(2025, 2, 14);

/**
 * Returns a checksum that depends on each feature of each member, and on their order.
 *
 * @param partitions the number of partitions; 1 reads in the thread of the run
 */
export async function readMembers(rows: number, partitions: number): Promise<number> {
  let checksum = 0;
  const take = (features: MemberFeatures): void => {
    for (const value of Object.values(features)) {
      if (typeof value === 'number') checksum = (Math.imul(checksum, 31) + Math.floor(value * 1000)) | 0;
    }
  };
  await runMembers(rows, partitions, take);
  return checksum;
}

/** The number of members, read in the thread of the run. */
export async function countMembers(rows: number): Promise<number> {
  let members = 0;
  await runMembers(rows, 1, () => {
    members++;
  });
  return members;
}

async function runMembers(rows: number, partitions: number, take: (features: MemberFeatures) => void): Promise<void> {
  const path = await memberFile(rows);
  const columns = MEMBER_COLUMNS;
  const source = {
    path,
    columns,
    schema: TransactionRow,
    missing: 'skip',
    partitions,
    partitionBy: 'memberId',
  } as const;
  const flow = defineWorkflow({
    name: 'Members',
    build: (builder) =>
      builder
        .task('Extract', csvSource(source))
        .task('Transform', ['Extract'], memberFeatures({ asOf: AS_OF, isInThreads: partitions > 1 }))
        .task('Sum', ['Transform'], sinkTask(take)),
  });
  await flow.run(undefined, { threads: partitions > 1 ? partitions : 0 }).finished;
}
