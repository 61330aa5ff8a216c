/**
 * Marks records that earlier incarnations of a resumed run have finished as gone, in front of a task.
 *
 * Guarantees: no slot is lost. A batch without such records passes unchanged.
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
