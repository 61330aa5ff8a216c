/** The chain in RxJS: five `map`s over single records. */
import { from, map } from 'rxjs';
import type { SideRun } from '../side-run.js';
import { Counter, readings, STEPS } from '../sync-chain.js';

export const run: SideRun = (records) => {
  const counter = new Counter();
  return new Promise((resolve, reject) => {
    from(readings(records))
      .pipe(map(STEPS.scale), map(STEPS.shift), map(STEPS.halve), map(STEPS.limit), map(STEPS.flip))
      .subscribe({
        next: (reading) => {
          counter.add(reading);
        },
        error: reject,
        complete: () => {
          resolve(counter.checksum);
        },
      });
  });
};
