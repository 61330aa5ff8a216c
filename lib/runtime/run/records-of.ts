import type { Observable } from 'rxjs';
import { GONE } from '../../model/record.js';
import { GuardedObservable } from '../../stream/guarded-observable.js';
import type { Outlet } from '../../stream/outlet.js';

/**
 * The output of a task, record by record, for subscribers outside the run. `report` gets the errors that they throw.
 */
export function recordsOf<T>(output$: Outlet, report: (error: unknown) => void): Observable<T> {
  return new GuardedObservable<T>(report, (subscriber) =>
    output$.subscribe({
      next: ({ values }) => {
        for (const value of values) if (value !== GONE) subscriber.next(value as T);
      },
      error: (error: unknown) => {
        subscriber.error(error);
      },
      complete: () => {
        subscriber.complete();
      },
    }),
  );
}
