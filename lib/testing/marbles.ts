/**
 * Marble strings: what comes when, in one line. The syntax is that of RxJS's tests in run mode: a character is one
 * millisecond, `-` nothing, `a` a record, `(ab)` several at one moment, `|` the end, `#` an error,
 * `900ms`, `2s` and `1m` between spaces let time pass, other spaces are for the eye.
 */
import { TestScheduler } from 'rxjs/testing';
import type { Observable } from 'rxjs';
import type { Clock } from '../model/clock.js';
import { MillraceError, describeThrown } from '../model/errors.js';

/** What happens at a moment; `at` is milliseconds after the start. */
export type ScriptLine<T> =
  | {
      /** Milliseconds since the beginning. */
      readonly at: number;
      /** What comes. */
      readonly record: T;
    }
  | {
      /** Milliseconds since the beginning. */
      readonly at: number;
      /** What it fails with; nothing comes after it. */
      readonly error: unknown;
    }
  | {
      /** Milliseconds since the beginning. */
      readonly at: number;
      /** It completes; nothing comes after it. */
      readonly end: true;
    };

/**
 * The lines that a marble string stands for: for `scriptedSource` to play, or to compare a `recordingTimeline` with.
 *
 * @param values what the letters stand for; a letter that is not named stands for itself.
 * @param error what `#` stands for. Default: an Error with the message 'marble'.
 * @throws MILLRACE_INVALID_OPTION where the string is none.
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
    if (/[\^!]/.test(text)) throw new Error("'^' and '!' are for subscriptions");
    if (!/^([^()]|\([^()]*\))*$/.test(text)) throw new Error('a group has no beginning or no end');
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

/** What an Observable has given so far. */
export interface RecordingTimeline<T> {
  /** In order of arrival; grows until the Observable ends. */
  readonly lines: readonly ScriptLine<T>[];
}

/**
 * Subscribes, and keeps what comes with its time since then: `marbles` says what it should be. The error of an output is
 * what was thrown, without what the run says around it.
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

/** Reads marbles in the way of run mode, without running: that would change the time of whoever calls from within a run. */
class Marbles extends TestScheduler {
  static override readonly frameTimeFactor = 1;
}

function valueOf<T>(letter: string, values: Readonly<Record<string, T>> | undefined): T {
  return values !== undefined && Object.hasOwn(values, letter) ? (values[letter] as T) : (letter as T);
}

/** What a run failed with says which task it was, around what was thrown there. */
function thrownAtFirst(error: unknown): unknown {
  let first = error;
  while (first instanceof MillraceError && first.cause !== undefined) first = first.cause;
  return first;
}
