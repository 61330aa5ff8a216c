/** A source that plays a script: records, errors and the end, each at its time. */
import { Observable } from 'rxjs';
import type { Clock } from '../model/clock.js';
import { sourceTask, type SourceOptions, type SourceTask } from '../tasks/source-task.js';
import type { ScriptLine } from './marbles.js';

/**
 * Makes a source that pushes the records of the script. It ends at the `end` of the script; without an `end` it stays
 * open. Throws MILLRACE_INVALID_OPTION for invalid options.
 *
 * @example scriptedSource(marbles('a 1s b 1s |'), clock)
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
