/**
 * The work of a thread on a part of a CSV file: it reads the rows, converts them to records, and either returns or
 * folds the records. Threads load this module; it loads only the code that reads CSV.
 *
 * Guarantees: the result is the same as if one thread had read the whole file, including the numbers and lines of the
 * rows.
 */
import {
  FatalTaskError,
  codeOf,
  describeThrown,
  describeValue,
  Rejected,
  Skip,
  type Schema,
} from '../../connect/values.js';
import { loadChecked, loadExport, type AnyAggregate } from '../../connect/parts.js';
import type { Collected, ModuleRef } from '../../connect/parts.js';
import { PartitionGroups } from '../../connect/parts.js';
import { Groups } from '../../connect/parts.js';
import type { BadRecord, FoldedResult, FoldProgress, FoldReport, FoldRequest } from '../../connect/parts.js';
import { openCsvReader, type CsvItem, type CsvReaderOptions, type CsvRow } from './csv-reader.js';
import type { CsvPart } from './plan-parts.js';
import { recordOf, type RowRecordOptions } from './row-record.js';
import type { RowShare } from './row-share.js';

/** How the rows are read and converted to records. Plain data. */
export interface PartRequest {
  readonly reading: CsvReaderOptions;
  readonly headerNames: readonly string[];
  readonly schema: ModuleRef | undefined;
  readonly missing: 'keep' | 'skip' | undefined;
}

/** A row as a thread returns it: a record, the reason of a skip, or a row that was given up. */
export type CrossedRow =
  | readonly [record: unknown]
  | readonly [undefined, skip: string]
  | readonly [input: unknown, code: string, message: string];

const ROWS_AT_ONCE = 1024;
/** Rows per item. With the items that an item pump reads ahead, a thread does not have to wait for its turn. */
const ROWS_PER_ITEM = 64;
/** Keeps unpacking one read-ahead buffer to a few milliseconds. */
const STATES_PER_ITEM = 8;

/** Returns the rows of these parts, one part after the other, with `null` after the last row of each part. */
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

/** Folds a range of the file: reports progress while it is read, then the states of the keys in it. */
export async function* foldPart(
  args: PartRequest & { readonly part: CsvPart; readonly fold: FoldRequest },
): AsyncGenerator<FoldReport> {
  const { part, fold } = args;
  const aggregate = (await loadChecked(fold.aggregate, 'aggregate')) as AnyAggregate;
  const groups = new Groups(aggregate, fold.maxKeys, fold.task);
  for await (const { items, options } of read(args, part)) {
    yield folded(items, options, part.rows, (record) => {
      groups.add(record);
    });
  }
  for (const states of groups.releaseStates(STATES_PER_ITEM)) yield { states };
}

/** Folds the rows of a share of the file: reports progress while the file is read, then the results of its keys. */
export async function* foldShare(
  args: Omit<PartRequest, 'headerNames'> & { readonly share: RowShare; readonly fold: FoldRequest },
): AsyncGenerator<FoldReport> {
  const { share, fold, reading } = args;
  const groups = new PartitionGroups((await loadChecked(fold.aggregate, 'aggregate')) as AnyAggregate, fold);
  for await (const { items, options } of readAll(args, { ...reading, share })) {
    yield folded(items, options, 0, (record, { number, values }) => {
      groups.add(record, number, (key) => {
        assertSame(key, values[share.column] as string, args);
      });
    });
  }
  let results: FoldedResult[] = [];
  for (const result of groups.collect()) {
    results.push(crossingResult(result));
    if (results.length < STATES_PER_ITEM) continue;
    yield { results };
    results = [];
  }
  if (results.length > 0) yield { results };
}

/**
 * Checks that the key is the text of its column. Otherwise the rows of one key would be in several shares, with one
 * result per share.
 */
function assertSame(
  key: unknown,
  text: string,
  { share, fold, reading }: { share: RowShare; fold: FoldRequest; reading: CsvReaderOptions },
): void {
  if (String(key) === text) return;
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${reading.path} is divided by \`partitionBy: '${share.column}'\`, so the keys of '${fold.task}' must be the text of that column, ` +
      `got the key ${describeValue(key)} where the column has ${describeValue(text)}. Leave out \`partitionBy\`, or make it the key`,
  );
}

function folded(
  items: readonly CsvItem[],
  options: RowRecordOptions<unknown>,
  rowsBefore: number,
  add: (record: unknown, row: CsvRow) => void,
): FoldProgress {
  const skipped: Record<string, number> = {};
  const bad: BadRecord[] = [];
  const unfolded: BadRecord[] = [];
  for (const item of items) {
    const number = rowsBefore + item.number;
    const record = recordOf(item, options);
    if (record instanceof Skip) skipped[record.reason] = (skipped[record.reason] ?? 0) + 1;
    else if (record instanceof Rejected) bad.push(badRecord(number, record.input, record.error));
    else {
      try {
        add(record, item as CsvRow);
      } catch (error) {
        // This error concerns the whole task, not the record.
        if (error instanceof FatalTaskError) throw error;
        unfolded.push(badRecord(number, record, error));
      }
    }
  }
  return { rows: items.length, skipped, bad, unfolded };
}

function read(request: PartRequest, { start, end, line }: CsvPart): ReturnType<typeof readAll> {
  const { reading, headerNames } = request;
  // The columns were checked against the header when the parts were planned.
  return readAll(request, { ...reading, byteRange: { start, end }, startLine: line, headerNames });
}

async function* readAll(
  { schema, missing }: Pick<PartRequest, 'schema' | 'missing'>,
  reading: CsvReaderOptions,
): AsyncGenerator<{ items: readonly CsvItem[]; options: RowRecordOptions<unknown> }> {
  const { path, columns } = reading;
  const loaded = schema === undefined ? undefined : ((await loadExport(schema)) as Schema<unknown>);
  const options = { path, columns, schema: loaded, missing };
  const reader = await openCsvReader(reading);
  try {
    for (let items = await reader.read(ROWS_AT_ONCE); items !== null; items = await reader.read(ROWS_AT_ONCE)) {
      yield { items, options };
    }
  } finally {
    await reader.close();
  }
}

function crossingResult({ failure, ...result }: Collected): FoldedResult {
  if (failure === undefined) return result;
  const { key, error } = failure;
  return { ...result, failure: { key, code: codeOf(error), message: describeThrown(error) } };
}

function crossing(record: unknown): CrossedRow {
  if (record instanceof Skip) return [undefined, record.reason];
  if (record instanceof Rejected) return [record.input, codeOf(record.error), describeThrown(record.error)];
  return [record];
}

function badRecord(number: number, input: unknown, error: unknown): BadRecord {
  return { number, input, code: codeOf(error), message: describeThrown(error) };
}
