/** A source that does what a script says, at the times it says. */
import { Observable } from 'rxjs';
import type { Clock } from '../core/clock.js';
import { sourceTask, type SourceOptions, type SourceTask } from '../tasks/source-task.js';

/** One line of the script; `at` is milliseconds after the source was subscribed. */
export type ScriptLine<T> =
  | { readonly at: number; readonly record: T }
  | { readonly at: number; readonly error: unknown }
  | { readonly at: number; readonly end: true };

/**
 * A source that pushes the records of the script; it ends with its `end`, and without one stays open.
 *
 * @example scriptedSource([{ at: 0, record: 'a' }, { at: 1000, record: 'b' }, { at: 2000, end: true }], clock)
 */
export function scriptedSource<T>(
  script: readonly ScriptLine<T>[],
  clock: Clock,
  options: SourceOptions<T> = {},
): SourceTask<T> {
  return sourceTask(
    () =>
      new Observable<T>((subscriber) => {
        const cancels = script.map((line) =>
          clock.schedule(line.at, () => {
            if ('record' in line) subscriber.next(line.record);
            else if ('error' in line) subscriber.error(line.error);
            else subscriber.complete();
          }),
        );
        return () => {
          for (const cancel of cancels) cancel();
        };
      }),
    options,
  );
}
