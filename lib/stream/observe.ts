/**
 * Subscribes an operator to its input.
 *
 * Guarantees: an error that a handler throws becomes the error of the operator. A broken law or a `fail` policy
 * therefore always reaches the run, and never becomes an uncaught exception of the process.
 */
import type { Observable, Subscriber } from 'rxjs';

export function observe<T>(
  input$: Observable<T>,
  subscriber: Subscriber<never>,
  next: (value: T) => void,
  complete: () => void,
): void {
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      subscriber.error(error);
    }
  };
  subscriber.add(
    input$.subscribe({
      next: (value) => {
        try {
          next(value);
        } catch (error) {
          subscriber.error(error);
        }
      },
      error: (error: unknown) => {
        subscriber.error(error);
      },
      complete: () => {
        guarded(complete);
      },
    }),
  );
}
