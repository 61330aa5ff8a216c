/** The context with which the contract opens a connector without a run: a system clock, a fixed seed, no threads. */
import type { ConnectorContext } from '../connect/context.js';
import { InlineExecutor } from '../execution/inline-executor.js';
import { seededRandom } from '../execution/random.js';
import { Turn } from '../ledger/turn.js';
import { Secrets } from '../text/secrets.js';
import { systemClock } from '../model/clock.js';

export function contextOfTest(task: string, signal: AbortSignal = new AbortController().signal): ConnectorContext {
  return {
    task,
    runId: 'contract',
    clock: systemClock,
    signal,
    random: seededRandom(1),
    executor: new InlineExecutor(new Turn(systemClock)),
    secrets: new Secrets(),
    notice: () => undefined,
    cannotResume: () => undefined,
    whenEnding: () => undefined,
    track: () => undefined,
  };
}
