/** A separate module for the work in threads: a thread imports it, and must not start the program again. */
import { threadFunction } from 'millrace/thread';

/** The prime factors of a whole number from 2, smallest first, by trial division. */
export const primeFactors = threadFunction(import.meta.url, 'primeFactors', (n: number): readonly number[] => {
  const factors: number[] = [];
  let rest = n;
  for (let divisor = 2; divisor * divisor <= rest; divisor++) {
    while (rest % divisor === 0) {
      factors.push(divisor);
      rest /= divisor;
    }
  }
  return rest > 1 ? [...factors, rest] : factors;
});
