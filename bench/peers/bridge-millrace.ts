/** The bridge of millrace alone, with one thread: records in, records out, pulled from an iterable. */
import { workerOperator } from 'millrace';
import type { SideRun } from '../side-run.js';
import { echo, samples } from '../thread-work.js';

export const run: SideRun = (records) => {
  let checksum = 0;
  return new Promise((resolve, reject) => {
    workerOperator(echo, { threads: 1 })(samples(records)).subscribe({
      next: ({ value }) => {
        checksum += value;
      },
      complete: () => {
        resolve(checksum);
      },
      error: reject,
    });
  });
};
