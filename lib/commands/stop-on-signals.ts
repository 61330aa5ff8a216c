/**
 * Signals: the first Ctrl-C drains the run, the second aborts it, the third kills the process as if there were no
 * listener. A draining run is aborted when its grace is over. SIGQUIT aborts the run at once.
 *
 * Guarantees: SIGTERM has the same effect as SIGINT; after `release` all three have their earlier effect. If an aborted run
 * does not end, because code of the user does not end, the process ends.
 */
import type { Run } from '../runtime/run/run.js';
import { describeMs } from '../text/quantities.js';
import type { Report } from './report.js';
import { PRESSES, WATCHED } from './watched-run.js';

/**
 * npm forwards a Ctrl-C that the terminal has already sent to each process: two signals within this time are one key
 * press.
 */
const SAME_KEY_PRESS_MS = 100;

/** The time that an aborted run may take to release what it holds. Its checkpoints are complete before that. */
const MAX_ABORT_MS = 1000;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The part of a run that signals stop. */
export type Stoppable = Pick<Run, 'drain' | 'cancel' | 'isInAftermath'>;

export interface StopOptions {
  /** The milliseconds that a draining run may take. Then it is aborted. */
  readonly graceMs: number;
  /** Called if an aborted run does not end. Ends the process. */
  readonly onStuck: () => void;
  /** Default: {@link MAX_ABORT_MS}. */
  readonly maxAbortMs?: number;
}

/** Listens until the returned function is called. */
export function stopOnSignals(run: Stoppable, report: Pick<Report, 'stopping'>, options: StopOptions): () => void {
  const { graceMs, onStuck, maxAbortMs = MAX_ABORT_MS } = options;
  let presses = 0;
  let pressedAtMs = 0;
  let stuck: NodeJS.Timeout | undefined;
  const abandonAfter = (ms: number): void => {
    clearTimeout(stuck);
    stuck = setTimeout(() => {
      // Tasks that clean up after the run may take longer. The next signal ends them.
      if (run.isInAftermath) abandonAfter(maxAbortMs);
      else onStuck();
    }, ms);
  };
  const ignoreSignals = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    process.off('SIGQUIT', onQuit);
    process.off('message', onMessage);
  };
  const abort = (signal: NodeJS.Signals, again: string): void => {
    report.stopping('aborting', `${signal}: aborting. What is in flight is lost; ${again} kills the process`);
    abandonAfter(maxAbortMs);
    run.cancel();
    ignoreSignals();
  };
  const press = (signal: NodeJS.Signals): void => {
    presses++;
    pressedAtMs = performance.now();
    const again = signal === 'SIGINT' ? 'Ctrl-C again' : 'the same signal again';
    if (presses === 1) {
      report.stopping(
        'draining',
        `${signal}: draining for at most ${describeMs(graceMs)}. Sources are stopped, the records in flight settle; ${again} aborts`,
      );
      // After the grace the run aborts itself.
      abandonAfter(graceMs + maxAbortMs);
      run.drain({ graceMs });
    } else {
      abort(signal, again);
    }
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (presses > 0 && performance.now() - pressedAtMs < SAME_KEY_PRESS_MS) return;
    press(signal);
  };
  const onQuit = (): void => {
    abort('SIGQUIT', 'one more signal');
  };
  // The process of `run --watch` counts the signals that it receives. The terminal sends each of them to this process
  // too.
  const onMessage = (message: unknown): void => {
    const { [PRESSES]: counted, signal } = Object(message) as { [PRESSES]?: unknown; signal?: NodeJS.Signals };
    if (typeof counted === 'number' && counted > presses) press(signal ?? 'SIGINT');
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('SIGQUIT', onQuit);
  if (process.env[WATCHED] !== undefined) process.on('message', onMessage);
  return () => {
    clearTimeout(stuck);
    ignoreSignals();
  };
}
