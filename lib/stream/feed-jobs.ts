/**
 * Connects the input of a task with the jobs of its lanes.
 *
 * Guarantees: the jobs end with the input, and are closed with the subscription.
 */
import type { Observable, Subscriber } from 'rxjs';
import type { Batch } from '../model/record.js';
import type { Intake } from './intake.js';

/** The methods of a job that `feedJobs` calls. */
interface Fed {
  endInput(): void;
  close(): void;
}

/** Subscribes to the input. `onArrival` is called when records wait in the intake. */
export function feedJobs(
  jobs: readonly Fed[],
  intake: Intake,
  input$: Observable<Batch<unknown>>,
  onArrival: () => void,
  subscriber: Subscriber<never>,
): void {
  subscriber.add(() => {
    for (const job of jobs) job.close();
  });
  const onInputOver = (): void => {
    for (const job of jobs) job.endInput();
  };
  intake.connect([input$], { onArrival, onInputOver }, subscriber);
}
