/**
 * The thread bridge alone, in an RxJS program that knows nothing of workflows: one operator, and the heavy function
 * runs in worker threads. The threads end with the subscription.
 *
 * `node build/examples/thread-bridge.js`
 */
import { workerOperator } from 'millrace';
import { filter, map, range, take } from 'rxjs';
import { primeFactors } from './prime-factors.js';

const FIRST = 1_000_000_000_000;

range(FIRST, 1000)
  .pipe(
    // Ordered, because the next step counts on it.
    workerOperator(primeFactors, { threads: 2, ordered: true }),
    map((factors, index) => ({ n: FIRST + index, factors })),
    filter(({ factors }) => factors.length === 1),
    // `take` unsubscribes: whatever the threads are doing then, they end.
    take(3),
  )
  .subscribe(({ n }) => {
    console.log(`${n} is prime`);
  });
