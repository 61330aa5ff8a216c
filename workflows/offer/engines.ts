/**
 * The tasks Extract and Transform on the configured engine. Each engine has its own type of records between the two
 * tasks.
 */
import { statSync } from 'node:fs';
import { syncTask, type SourceTask, type Task } from 'millrace';
import { csvSource } from 'millrace/csv';
import type { OfferConfig } from './config.js';
import type { MemberFeatures } from './features.js';
import { featuresOnSpark } from './features-on-spark.js';
import { memberFeatures } from './member-features.js';
import { featuresOfTotals, memberTotals } from './member-totals.js';
import { MEMBER_COLUMNS, TransactionRow } from './transaction.js';

/** Two tasks that fit together. */
export interface FeatureTasks {
  readonly extract: SourceTask<unknown>;
  readonly transform: Task<unknown, MemberFeatures>;
}

/** @param asOf the moment up to which days are counted, in milliseconds since 1970. */
export function featureTasks(config: OfferConfig, asOf: number): FeatureTasks {
  if (config.engine === 'duckdb') return pair(memberTotals(config.csv_path), featuresOfTotals(asOf));
  if (config.engine === 'spark') {
    const remote = config.spark_remote as string;
    // The features are computed where the file is read.
    return pair(
      featuresOnSpark({ remote, path: config.csv_path, asOf }),
      syncTask((features: MemberFeatures) => features),
    );
  }
  const partitions = partitionsOf(config);
  const extract = csvSource({
    path: config.csv_path,
    columns: MEMBER_COLUMNS,
    schema: TransactionRow,
    missing: 'skip',
    partitions,
    partitionBy: 'memberId',
  });
  return pair(extract, memberFeatures({ asOf, isInThreads: partitions !== 1 }));
}

function pair<Row>(extract: SourceTask<Row>, transform: Task<Row, MemberFeatures>): FeatureTasks {
  // The compiler has checked that the two fit. No other task sees the records between them.
  return { extract, transform: transform as Task<unknown, MemberFeatures> };
}

/** From this size on, a file is read in parts. For a smaller file, the start of threads takes longer than they save. */
const LARGE_FILE_BYTES = 32 * 1024 * 1024;

function partitionsOf({ csv_path: path, partitions }: OfferConfig): number | 'auto' {
  if (partitions !== 'auto') return partitions;
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size >= LARGE_FILE_BYTES ? 'auto' : 1;
}
