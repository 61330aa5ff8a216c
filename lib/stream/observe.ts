/**
 * Subscribes one operator to its input. Promise: whatever a handler throws becomes the operator's error, so a broken
 * law or a policy of `fail` always reaches the run and never becomes an uncaught exception of the process.
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
