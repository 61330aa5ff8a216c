/**
 * The thread bridge alone, in an RxJS program without workflows: one operator runs the heavy function in worker
 * threads. The threads end with the subscription.
 *
 * `node build/examples/thread-bridge.js`
 */
import { workerOperator } from 'millrace';
import { filter, map, range, take } from 'rxjs';
import { primeFactors } from './prime-factors.js';

const FIRST = 1_000_000_000_000;

range(FIRST, 1000)
  .pipe(
    // Ordered, because the next step depends on the order.
    workerOperator(primeFactors, { threads: 2, ordered: true }),
    map((factors, index) => ({ n: FIRST + index, factors })),
    filter(({ factors }) => factors.length === 1),
    // `take` unsubscribes, which ends the threads even in the middle of their work.
    take(3),
  )
  .subscribe(({ n }) => {
    console.log(`${n} is prime`);
  });
