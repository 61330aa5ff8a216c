/**
 * Marble strings: a sequence of records and their times in one line. The syntax is the run mode of the RxJS
 * TestScheduler. Each character is one millisecond: `-` is a pause, `a` a record, `(ab)` several records at one moment,
 * `|` the end and `#` an error. `900ms`, `2s` and `1m` between spaces are longer pauses. Other spaces have no meaning.
 */
import { TestScheduler } from 'rxjs/testing';
import type { Observable } from 'rxjs';
import type { Clock } from '../model/clock.js';
import { MillraceError, describeThrown } from '../model/errors.js';

/** One event of a script: a record, an error or the end. */
export type ScriptLine<T> =
  | {
      /** Milliseconds since the start. */
      readonly at: number;
      /** The record. */
      readonly record: T;
    }
  | {
      /** Milliseconds since the start. */
      readonly at: number;
      /** The error of the sequence. No event follows it. */
      readonly error: unknown;
    }
  | {
      /** Milliseconds since the start. */
      readonly at: number;
      /** The sequence completes. No event follows. */
      readonly end: true;
    };

/**
 * Converts a marble string into the lines of a script. `scriptedSource` plays such a script, and a test compares it
 * with a `recordingTimeline`.
 *
 * @param values the records that the letters represent; a letter without an entry represents itself.
 * @param error the error that `#` represents. Default: an Error with the message 'marble'.
 * @throws MILLRACE_INVALID_OPTION if the text is not a valid marble string.
 *
 * @example marbles('a-b 1s (c|)', { a: 1, b: 2, c: 3 }) // at 0, 2 and 1003 ms
 */
export function marbles<T = string>(
  text: string,
  values?: Readonly<Record<string, T>>,
  error: unknown = new Error('marble'),
): readonly ScriptLine<T>[] {
  let messages: ReturnType<typeof Marbles.parseMarbles>;
  try {
    if (/[\^!]/.test(text)) throw new Error("'^' and '!' describe subscriptions, not records");
    if (!/^([^()]|\([^()]*\))*$/.test(text)) throw new Error('a group has no opening or no closing parenthesis');
    messages = Marbles.parseMarbles(text, undefined, error, false, true);
  } catch (cause) {
    const message = `Expected a marble string such as 'a-b|', got '${text}': ${describeThrown(cause)}`;
    throw new MillraceError('MILLRACE_INVALID_OPTION', message, { cause });
  }
  return messages.map(({ frame: at, notification }) => {
    if (notification.kind === 'N') return { at, record: valueOf(notification.value as string, values) };
    return notification.kind === 'E' ? { at, error: notification.error as unknown } : { at, end: true };
  });
}

/** The events of an Observable so far. */
export interface RecordingTimeline<T> {
  /** In order of arrival; grows until the Observable ends. */
  readonly lines: readonly ScriptLine<T>[];
}

/**
 * Subscribes to an Observable and records its events, each with the time since the subscription. Compare `lines` with a
 * script from `marbles`. If a run fails, the recorded error is the original error, without the run's error around it.
 *
 * @example
 * const seen = recordingTimeline(run.output$('Double'), clock);
 * await clock.runUntil(run.finished);
 * expect(seen.lines).toEqual(marbles('a-b|', { a: 2, b: 4 }));
 */
export function recordingTimeline<T>(source$: Observable<T>, clock: Clock): RecordingTimeline<T> {
  const lines: ScriptLine<T>[] = [];
  const startMs = clock.monotonicMs();
  const at = (): number => clock.monotonicMs() - startMs;
  source$.subscribe({
    next: (record) => {
      lines.push({ at: at(), record });
    },
    error: (error: unknown) => {
      lines.push({ at: at(), error: thrownAtFirst(error) });
    },
    complete: () => {
      lines.push({ at: at(), end: true });
    },
  });
  return { lines };
}

/** Parses marbles with the syntax of run mode. It does not call `run`, which would replace the timers of the caller. */
class Marbles extends TestScheduler {
  static override readonly frameTimeFactor = 1;
}

function valueOf<T>(letter: string, values: Readonly<Record<string, T>> | undefined): T {
  return values !== undefined && Object.hasOwn(values, letter) ? (values[letter] as T) : (letter as T);
}

/** Unwraps the original error from the error of a run, which adds the name of the task. */
function thrownAtFirst(error: unknown): unknown {
  let first = error;
  while (first instanceof MillraceError && first.cause !== undefined) first = first.cause;
  return first;
}
