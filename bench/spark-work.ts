/** What the sides of the Spark cases share: rows of Spark, and the totals and features of members. */
import { resolve } from 'node:path';
import { defineWorkflow, sinkTask, type SourceTask, type Task } from 'millrace';
import { OfferConfig } from '#workflows/offer/config.js';
import { featureTasks } from '#workflows/offer/engines.js';
import type { MemberFeatures } from '#workflows/offer/features.js';
import { memberFile } from './member-file.js';
import { sparkRemote } from './spark-server.js';

/** A query of rows with five columns, about 50 bytes each. */
export const rowsQuery = (rows: number): string =>
  `SELECT id, id * 0.5D AS half, concat('name ', id) AS name, id % 7 AS day, id % 2 = 0 AS even FROM range(${rows})`;

/** A row of `rowsQuery`. */
export interface BenchRow {
  readonly id: number;
  readonly half: number;
  readonly name: string;
  readonly day: number;
  readonly even: boolean;
}

/** A part of the checksum of rows; it reads each column. */
export const valueOfRow = ({ id, half, name, day, even }: BenchRow): number =>
  id + half + name.length + day + (even ? 1 : 0);

/** Statements that make the view `members` of a member file: all columns are texts. */
export const memberView = async (rows: number): Promise<readonly string[]> => {
  const path = resolve(await memberFile(rows));
  return [`CREATE TEMPORARY VIEW members USING csv OPTIONS (path '${path}', header 'true', escape '"')`];
};

/** Runs a source to its end, and adds up the values of its records, whatever their order. */
export async function sumOf<Out>(source: SourceTask<Out>, valueOf: (record: Out) => number): Promise<number> {
  const sum = new Sum(valueOf);
  const flow = defineWorkflow({
    name: 'Sum',
    build: (build) => build.task('Rows', source).task('Sum', ['Rows'], sum.task),
  });
  await flow.run(undefined, { window: WINDOW }).finished;
  return sum.value;
}

/** The features of all members of a file, computed by one of the engines of OfferWorkFlow. */
export async function sumOfFeatures(rows: number, engine: 'stream' | 'spark'): Promise<number> {
  const path = await memberFile(rows);
  const config = OfferConfig.parse({
    ...{ csv_path: path, engine },
    ...{ result_output_path: `${path}.out`, performance_output_path: `${path}.json` },
    ...(engine === 'spark' ? { spark_remote: sparkRemote() } : { partitions: 1 }),
  });
  const { extract, transform } = featureTasks(config, AS_OF);
  const sum = new Sum(valueOfFeatures);
  const flow = defineWorkflow({
    name: 'Features',
    build: (build) =>
      build.task('Extract', extract).task('Transform', ['Extract'], transform).task('Sum', ['Transform'], sum.task),
  });
  await flow.run(undefined, { window: WINDOW }).finished;
  return sum.value;
}

const AS_OF = Date.parse('2025-03-14T21:25:33Z');
const WINDOW = 4096;

function valueOfFeatures(features: MemberFeatures): number {
  let sum = 0;
  for (const value of Object.values(features)) if (typeof value === 'number') sum += Math.floor(value);
  return sum;
}

/** Adds up whole numbers, so that the order does not matter. */
class Sum<Record> {
  value = 0;
  readonly task: Task<Record, Record>;

  constructor(valueOf: (record: Record) => number) {
    this.task = sinkTask((record: Record) => {
      this.value += valueOf(record);
    });
  }
}
