/**
 * In front of a task of a resumed run: records that earlier lives have finished go on as gone marks. Promise: no slot is
 * lost, and a batch that holds none of them is handed on as it is.
 */
import { map, type OperatorFunction } from 'rxjs';
import { Batch, GONE, type Lineage } from '../model/record.js';

export function dropPast<T>(isPast: (lineage: Lineage) => boolean): OperatorFunction<Batch<T>, Batch<T>> {
  return map((batch) => {
    if (!batch.lineages.some(isPast)) return batch;
    let gone = 0;
    const values = batch.values.map((value, i) => {
      const left = isPast(batch.lineages[i] as Lineage) ? GONE : value;
      if (left === GONE) gone++;
      return left;
    });
    return new Batch(batch.lineages, values, gone);
  });
}
