/**
 * Signals: the first Ctrl-C drains the run, the second aborts it, the third kills the process as if there were no
 * listener.
 *
 * Guarantees: SIGTERM has the same effect as SIGINT; after `release` both have their earlier effect.
 */
import type { Run } from '../runtime/run/run.js';
import type { Report } from './report.js';

/**
 * npm forwards a Ctrl-C that the terminal has already sent to each process: two signals within this time are one key
 * press.
 */
const SAME_KEY_PRESS_MS = 100;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Listens until the returned function is called. */
export function stopOnSignals(run: Pick<Run, 'drain' | 'cancel'>, report: Pick<Report, 'stopping'>): () => void {
  let drainingSinceMs: number | undefined;
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    const again = signal === 'SIGINT' ? 'Ctrl-C again' : 'the same signal again';
    if (drainingSinceMs === undefined) {
      drainingSinceMs = performance.now();
      report.stopping(
        'draining',
        `${signal}: draining. Sources are stopped, what is in flight settles; ${again} aborts`,
      );
      run.drain();
    } else if (performance.now() - drainingSinceMs >= SAME_KEY_PRESS_MS) {
      report.stopping('aborting', `${signal}: aborting. What is in flight is lost; ${again} kills the process`);
      run.cancel();
      release();
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return release;
}
