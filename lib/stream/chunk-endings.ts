/**
 * Translates the results of a chunk of records, as an executor delivers them, into slots of a batch.
 */
import type { Chunk, Ending } from '../execution/executor.js';
import type { TaskScope } from './task-scope.js';
import { Batch, GONE, type Gone, type Lineage } from '../model/record.js';

/** Ends a record that ended in the executor, by the policy of its task. Returns `GONE` or the fallback. */
export function endRecord(scope: TaskScope, { lineages, records }: Chunk, ending: Ending): unknown {
  if (ending.skip !== undefined) return scope.skip(ending.skip);
  const lineage = lineages[ending.index] as Lineage;
  const record = 'record' in ending ? ending.record : records[ending.index];
  return scope.giveUp({ lineage, record, error: ending.error, attempts: ending.attempts ?? 1 });
}

/** The slots of a chunk. A slot is `GONE` if its record ended and has no fallback. */
export function batchOf<T>(
  lineages: readonly Lineage[],
  outputs: readonly unknown[],
  endings: readonly Ending[],
  fallbacks: readonly { index: number; output: unknown }[] = [],
): Batch<T> {
  if (endings.length === 0) return new Batch<T>(lineages, outputs as readonly T[], 0);
  const values = outputs.slice() as (T | Gone)[];
  for (const { index } of endings) values[index] = GONE;
  for (const { index, output } of fallbacks) values[index] = output as T;
  return new Batch<T>(lineages, values, endings.length - fallbacks.length);
}
