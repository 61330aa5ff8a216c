/**
 * Selects one output of a task from the slots of all its outputs.
 *
 * Guarantees: each output has a slot for each lineage: the record if it left by this output, otherwise `GONE`.
 */
import { map, type OperatorFunction } from 'rxjs';
import { Batch, GONE, recordAt } from '../model/record.js';

/** @param output the name of the output; undefined for the output without a name. */
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
