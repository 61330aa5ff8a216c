/**
 * Ctrl-C: the first lets what is in flight settle, the second aborts, a third ends the process as if nobody listened.
 * Promise: SIGTERM is the same as SIGINT, and after `release` both do what they did before.
 */
import type { Run } from '../runtime/run/run.js';
import type { Report } from './report.js';

/** npm hands a Ctrl-C on that the terminal has sent to everybody already: two this close are one key press. */
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
