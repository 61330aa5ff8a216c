/**
 * A CSV file that threads read in parts: checks that it can be divided, counts the parts, and makes the workload of
 * each thread.
 *
 * There are two ways to divide a file. Ranges of its bytes fit every task. For an aggregate whose key is a column, the
 * hash of that column divides the rows, and each part has all rows of its keys.
 *
 * Guarantees: nothing is opened for a file that cannot be divided. With 'auto' it is read in one part; otherwise it is
 * refused with the reason.
 */
import { stat } from 'node:fs/promises';
import { MillraceError, codeOf, type Schema } from '../../connect/values.js';
import type { ModuleRef } from '../../connect/parts.js';
import type { ConnectorContext } from '../../connect/index.js';
import { homeOf } from '../../connect/parts.js';
import type { FoldedParts, FoldRequest } from '../../connect/parts.js';
import { isPacked } from '../files/byte-source.js';
import { isInStore } from '../files/file-place.js';
import { encodingOf } from '../files/text-encoding.js';
import { list } from './csv-header.js';
import { openCsvReader } from './csv-reader.js';
import type { CsvReaderOptions } from './csv-reader-options.js';
import type { PartRequest } from './part-thread.js';
import { PART_THREAD } from './parts-reader.js';
import { planParts, type CsvPart } from './plan-parts.js';

export interface DividedFileOptions {
  readonly reading: CsvReaderOptions;
  readonly schema: Schema<unknown> | undefined;
  readonly missing: 'keep' | 'skip' | undefined;
  readonly partitions: number | 'auto' | undefined;
  readonly partitionBy: string | undefined;
}

export class DividedFile {
  /** Whether the file is read in several parts in a run with threads. */
  readonly isDivided: boolean;
  private readonly options: DividedFileOptions;

  /** Throws MILLRACE_INVALID_OPTION if the file cannot be divided as the options require. */
  constructor(options: DividedFileOptions) {
    this.options = options;
    const { partitions = 1, reading } = options;
    const obstacle = obstacleToShares(options) ?? (partitions === 1 ? undefined : obstacleIn(options));
    if (obstacle !== undefined) {
      throw new MillraceError('MILLRACE_INVALID_OPTION', `${reading.path} cannot be read in partitions: ${obstacle}`);
    }
    this.isDivided = partitions === 'auto' ? indivisible(reading) === undefined : partitions > 1;
  }

  /** The number of parts for this number of threads. */
  countOf(threads: number): number {
    const { partitions = 1 } = this.options;
    return partitions === 'auto' ? threads : partitions;
  }

  /** The workloads of threads that read and fold the file. */
  foldedParts(fold: FoldRequest, scope: ConnectorContext): FoldedParts {
    const { partitionBy } = this.options;
    const refs = partitionBy === undefined ? this.ranges(fold, scope) : this.shares(partitionBy, fold, scope);
    // The end of the run also aborts the planning, which is not an error.
    const found = refs.catch((error: unknown) => {
      if (codeOf(error) === 'MILLRACE_ABORTED') return [];
      throw error;
    });
    // A cancelled run must not end before the file is released.
    scope.track(found);
    return { refs: found, give: partitionBy === undefined ? 'states' : 'results' };
  }

  /** Plans as many ranges as the options require, or more if a range would be larger than `mostBytes`. */
  async planRanges(
    scope: ConnectorContext,
    mostBytes: number,
  ): Promise<{ request: PartRequest; parts: readonly CsvPart[] }> {
    const { reading } = this.options;
    const size = await stat(reading.path).then(
      (facts) => facts.size,
      () => 0,
    );
    const partBytes = Math.min(mostBytes, Math.ceil(size / this.countOf(scope.executor.size)));
    const planned = await planParts({ ...reading, signal: endOf(scope) }, size, partBytes);
    const { columns, delimiter, version, parts } = planned;
    const request = { ...this.request, reading: { ...reading, delimiter, version }, headerNames: columns };
    return { request, parts };
  }

  private async ranges(fold: FoldRequest, scope: ConnectorContext): Promise<readonly ModuleRef[]> {
    const { request, parts } = await this.planRanges(scope, Infinity);
    return parts.map((part) => ({ module: PART_THREAD, export: 'foldPart', args: { ...request, part, fold } }));
  }

  private async shares(column: string, fold: FoldRequest, scope: ConnectorContext): Promise<readonly ModuleRef[]> {
    const { reading } = this.options;
    const { columns = [column] } = reading;
    // Opened here first, so that a file that cannot be read is reported once and not by every thread.
    const reader = await openCsvReader({ ...reading, columns, signal: endOf(scope) });
    await reader.close();
    const { version } = reader;
    // More shares than threads would only repeat the reading of the file.
    const of = Math.min(this.countOf(scope.executor.size), scope.executor.size);
    return Array.from({ length: of }, (_, index) => ({
      module: PART_THREAD,
      export: 'foldShare',
      args: { ...this.request, reading: { ...reading, version }, share: { column, index, of }, fold },
    }));
  }

  private get request(): Omit<PartRequest, 'headerNames'> {
    const { reading, schema, missing } = this.options;
    return { reading, schema: homeOf(schema)?.ref, missing };
  }
}

/** Aborts when the run aborts or drains. */
function endOf(scope: ConnectorContext): AbortSignal {
  const draining = new AbortController();
  scope.whenEnding(() => {
    draining.abort();
  });
  return AbortSignal.any([scope.signal, draining.signal]);
}

function obstacleIn({ reading, schema, partitions }: DividedFileOptions): string | undefined {
  if (schema !== undefined && homeOf(schema) === undefined) {
    return "threads cannot import its schema. Wrap it: export const Row = threadSchema(import.meta.url, 'Row', …)";
  }
  return partitions === 'auto' ? undefined : indivisible(reading);
}

function obstacleToShares({ reading: { columns }, partitionBy }: DividedFileOptions): string | undefined {
  if (partitionBy === undefined || columns === undefined || columns.includes(partitionBy)) return undefined;
  return `\`partitionBy\` names the column '${partitionBy}', and \`columns\` are ${list(columns)}. Name one of them`;
}

/** The reason why a file cannot be read from the middle; undefined if it can. */
function indivisible({ path, encoding = 'utf8' }: Pick<CsvReaderOptions, 'path' | 'encoding'>): string | undefined {
  const { name = '', isConverted = false } = encodingOf(encoding) ?? {};
  if (isConverted) return `${name.startsWith('utf-16') ? 'UTF-16' : name} cannot be read from the middle of a file`;
  if (isInStore(path)) return 'threads read only files of the disk';
  return isPacked(path) ? 'a .gz file cannot be read from the middle' : undefined;
}
