/** The longest time for which a result is used again. */
const LONGEST_MS = 10_000;
const SHARE = 100;

/**
 * Limits the cost of a question that pages ask often: its result is used again while asking more often would cost more
 * than a hundredth of the time, but for at most ten seconds. A failure is not used again.
 *
 * @param now the time in milliseconds from any moment.
 */
export function rarely<T>(ask: () => Promise<T>, now: () => number): () => Promise<T> {
  let known: Promise<T> | undefined;
  let freshUntilMs = 0;
  return () => {
    if (known !== undefined && now() < freshUntilMs) return known;
    const startedAtMs = now();
    freshUntilMs = Infinity;
    const asked = ask();
    known = asked;
    asked.then(
      () => {
        freshUntilMs = now() + Math.min(LONGEST_MS, SHARE * (now() - startedAtMs));
      },
      () => {
        known = undefined;
      },
    );
    return asked;
  };
}
