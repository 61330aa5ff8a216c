/**
 * A CSV file that threads read in parts: whether it can be, in how many, and what each thread is told.
 *
 * Two ways to divide: by ranges of its bytes, each a part of the rows; or, for an aggregate whose key is a column, by the
 * hash of that column, each part all rows of its keys. Promise: what cannot be divided is refused with the reason before
 * anything is opened, or read as one where 'auto' was said.
 */
import { stat } from 'node:fs/promises';
import { MillraceError, codeOf } from '../../model/errors.js';
import type { ModuleRef } from '../../connect/parts.js';
import type { ConnectorContext } from '../../connect/index.js';
import type { Schema } from '../../options/schema.js';
import { homeOf } from '../../connect/parts.js';
import type { FoldedParts, FoldRequest } from '../../connect/parts.js';
import { isPacked } from './byte-source.js';
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
  /** Whether it is read in more than one part, where there are threads. */
  readonly isDivided: boolean;
  private readonly options: DividedFileOptions;

  /** Throws MILLRACE_INVALID_OPTION where it cannot be divided as asked for. */
  constructor(options: DividedFileOptions) {
    this.options = options;
    const { partitions = 1, reading } = options;
    const obstacle = obstacleToShares(options) ?? (partitions === 1 ? undefined : obstacleIn(options));
    if (obstacle !== undefined) {
      throw new MillraceError('MILLRACE_INVALID_OPTION', `${reading.path} cannot be read in partitions: ${obstacle}`);
    }
    this.isDivided = partitions === 'auto' ? indivisible(reading) === undefined : partitions > 1;
  }

  /** How many parts there are for so many threads. */
  countOf(threads: number): number {
    const { partitions = 1 } = this.options;
    return partitions === 'auto' ? threads : partitions;
  }

  /** For threads that fold what they read. */
  foldedParts(fold: FoldRequest, scope: ConnectorContext): FoldedParts {
    const { partitionBy } = this.options;
    const refs = partitionBy === undefined ? this.ranges(fold, scope) : this.shares(partitionBy, fold, scope);
    // What ends the run ends the planning, too, and is told elsewhere.
    const found = refs.catch((error: unknown) => {
      if (codeOf(error) === 'MILLRACE_ABORTED') return [];
      throw error;
    });
    // A run that is cancelled has let go of the file when it is over.
    scope.track(found);
    return { refs: found, give: partitionBy === undefined ? 'states' : 'results' };
  }

  /** As many ranges as were asked for, or more, where one would be larger than `mostBytes`. */
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
    const { columns, parts } = await planParts({ ...reading, signal: endOf(scope) }, size, partBytes);
    return { request: { ...this.request, headerNames: columns }, parts };
  }

  private async ranges(fold: FoldRequest, scope: ConnectorContext): Promise<readonly ModuleRef[]> {
    const { request, parts } = await this.planRanges(scope, Infinity);
    return parts.map((part) => ({ module: PART_THREAD, export: 'foldPart', args: { ...request, part, fold } }));
  }

  private async shares(column: string, fold: FoldRequest, scope: ConnectorContext): Promise<readonly ModuleRef[]> {
    const { reading } = this.options;
    const { columns = [column] } = reading;
    // A file that cannot be read is told of here, once, and not by every thread.
    const reader = await openCsvReader({ ...reading, columns, signal: endOf(scope) });
    await reader.close();
    // More shares than threads would only read the file more often.
    const of = Math.min(this.countOf(scope.executor.size), scope.executor.size);
    return Array.from({ length: of }, (_, index) => ({
      module: PART_THREAD,
      export: 'foldShare',
      args: { ...this.request, share: { column, index, of }, fold },
    }));
  }

  private get request(): Omit<PartRequest, 'headerNames'> {
    const { reading, schema, missing } = this.options;
    return { reading, schema: homeOf(schema)?.ref, missing };
  }
}

/** Aborts when the run does, or when it drains. */
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

/** Why a file cannot be read from the middle, if it cannot. */
function indivisible({ path, encoding }: Pick<CsvReaderOptions, 'path' | 'encoding'>): string | undefined {
  if (encoding === 'utf16le') return 'UTF-16 is not read from the middle of a file';
  return isPacked(path) ? 'a .gz file is not read from the middle' : undefined;
}
