/**
 * What a thread does with a part of a CSV file: reads its rows, makes records of them, and either hands them over or
 * folds them on the spot. Loaded by threads; loads nothing but what reads CSV. Promise: what comes out is what one
 * thread reading the whole file would have made of these rows, numbers and lines included.
 */
import { codeOf, describeThrown } from '../../core/errors.js';
import { loadChecked, loadExport, type AnyAggregate } from '../../core/load-export.js';
import type { ModuleRef } from '../../core/executor.js';
import { Rejected, Skip } from '../../core/record.js';
import type { Schema } from '../../core/schema.js';
import { Groups } from '../../tasks/groups.js';
import type { BadRecord, FoldReport, FoldRequest } from '../../tasks/source-parts.js';
import { openCsvReader, type CsvItem, type CsvReaderOptions } from './csv-reader.js';
import type { CsvPart } from './plan-parts.js';
import { recordOf, type RowRecordOptions } from './row-record.js';

/** How the rows are read and what they are. Plain data. */
export interface PartRequest {
  readonly reading: CsvReaderOptions;
  readonly headerNames: readonly string[];
  readonly schema: ModuleRef | undefined;
  readonly missing: 'keep' | 'skip' | undefined;
}

/** What a row became, as it crosses from the thread: a record, the reason of a skip, or what is given up. */
export type CrossedRow =
  | readonly [record: unknown]
  | readonly [undefined, skip: string]
  | readonly [input: unknown, code: string, message: string];

const ROWS_AT_ONCE = 1024;
/** Rows that cross as one item: with what an item pump holds ahead, enough that a thread need not wait for its turn. */
const ROWS_PER_ITEM = 64;
/** Times what an item pump holds ahead, a few milliseconds to unpack. */
const STATES_PER_ITEM = 8;

/** The rows of these parts, one part after the other; `null` after the last row of each. */
export async function* partRows(
  args: PartRequest & { readonly parts: readonly CsvPart[] },
): AsyncGenerator<readonly CrossedRow[] | null> {
  for (const part of args.parts) {
    for await (const { items, options } of read(args, part)) {
      for (let i = 0; i < items.length; i += ROWS_PER_ITEM) {
        yield items.slice(i, i + ROWS_PER_ITEM).map((item) => crossing(recordOf(item, options)));
      }
    }
    yield null;
  }
}

/** The rows of a part, folded: progress while it is read, then the states. */
export async function* foldPart(
  args: PartRequest & { readonly part: CsvPart; readonly fold: FoldRequest },
): AsyncGenerator<FoldReport> {
  const { part, fold } = args;
  const aggregate = (await loadChecked(fold.aggregate, 'aggregate')) as AnyAggregate;
  const groups = new Groups(aggregate, fold.maxKeys, fold.task);
  let number = part.rows;
  for await (const { items, options } of read(args, part)) {
    const skipped: Record<string, number> = {};
    const bad: BadRecord[] = [];
    const unfolded: BadRecord[] = [];
    for (const item of items) {
      const record = recordOf(item, options);
      if (record instanceof Skip) skipped[record.reason] = (skipped[record.reason] ?? 0) + 1;
      else if (record instanceof Rejected) bad.push(badRecord(number, record.input, record.error));
      else {
        try {
          groups.add(record);
        } catch (error) {
          // Too many keys are no fault of this record.
          if (codeOf(error) === 'MILLRACE_AGGREGATE_OVERFLOW') throw error;
          unfolded.push(badRecord(number, record, error));
        }
      }
      number++;
    }
    yield { rows: items.length, skipped, bad, unfolded };
  }
  for (const states of groups.takeStates(STATES_PER_ITEM)) yield { states };
}

async function* read(
  { reading, headerNames, schema, missing }: PartRequest,
  { start, end, line }: CsvPart,
): AsyncGenerator<{ items: readonly CsvItem[]; options: RowRecordOptions<unknown> }> {
  const { path, columns } = reading;
  const loaded = schema === undefined ? undefined : ((await loadExport(schema)) as Schema<unknown>);
  const options = { path, columns, schema: loaded, missing };
  const reader = await openCsvReader({ ...reading, byteRange: { start, end }, startLine: line, headerNames });
  try {
    for (let items = await reader.read(ROWS_AT_ONCE); items !== null; items = await reader.read(ROWS_AT_ONCE)) {
      yield { items, options };
    }
  } finally {
    await reader.close();
  }
}

function crossing(record: unknown): CrossedRow {
  if (record instanceof Skip) return [undefined, record.reason];
  if (record instanceof Rejected) return [record.input, codeOf(record.error), describeThrown(record.error)];
  return [record];
}

function badRecord(number: number, input: unknown, error: unknown): BadRecord {
  return { number, input, code: codeOf(error), message: describeThrown(error) };
}
