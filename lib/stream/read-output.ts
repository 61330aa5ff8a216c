/**
 * One output of a task, from the slots of all its outputs.
 *
 * Guarantees: each slot stays, so every output has every lineage: the record where it left by this output, else `GONE`.
 */
import { map, type OperatorFunction } from 'rxjs';
import { Batch, GONE, recordAt } from '../model/record.js';

/** @param output the name of the output; undefined for the plain one. */
export function readOutput(output: string | undefined): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  return map(({ lineages, values }) => {
    let gone = 0;
    const read = values.map((value) => {
      const left = recordAt(value, output);
      if (left === GONE) gone++;
      return left;
    });
    return new Batch(lineages, read, gone);
  });
}
