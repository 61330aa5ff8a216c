/**
 * What becomes of a call that failed: repeated after a delay, put back without having lost an attempt, or given up.
 *
 * Promise: a record that fails because the upstream is down or busy loses no attempt by it; a record is given up only
 * after its last attempt, its budget, or a failure that no repetition mends.
 */
import { blameOf } from '../model/upstream-error.js';
import type { Call } from './call.js';
import type { CallGate } from './call-gate.js';
import { retryAfterOf, type RetryPolicy } from './policies/retry-policy.js';

export type Verdict =
  /** At the next chance; the attempt is taken back. */
  | { readonly next: 'again' }
  /** After a delay; the attempt is taken back. */
  | { readonly next: 'wait'; readonly delayMs: number }
  /** After a delay, as another attempt. */
  | { readonly next: 'retry'; readonly delayMs: number }
  | { readonly next: 'give up' };

export function judgeFailure(
  call: Call<unknown>,
  error: unknown,
  nowMs: number,
  { retry, gate, random }: { readonly retry: RetryPolicy; readonly gate: CallGate; readonly random: () => number },
): Verdict {
  const elapsedMs = gate.spentMs(call, nowMs);
  const blame = blameOf(error);
  const mayRepeat = retry.attempts > 1 && retry.isRetryable(error);
  if (blame === 'load' && mayRepeat) {
    const delayMs = Math.max(retry.backoffMs(call.refusals + 1, random), retryAfterOf(error) ?? 0);
    // Refused before anything was done: the record has lost nothing but time. While everybody is refused it stays, but
    // it is asked about again within the budget: an upstream that says 'in a year' must not hold the run for a year.
    if (elapsedMs + delayMs <= retry.budgetMs || !gate.hasSucceededSince(call.firstAtMs)) {
      return { next: 'wait', delayMs: Math.min(delayMs, retry.budgetMs) };
    }
  }
  const { circuit } = gate;
  const isOutage = blame === 'upstream' && mayRepeat;
  if (isOutage && circuit !== undefined && circuit.state !== 'closed') return { next: 'again' };
  const delayMs = retry.delayAfter({ attempts: call.attempts, elapsedMs, error, random });
  if (delayMs !== undefined) return { next: 'retry', delayMs };
  if (isOutage && circuit?.opensFor(nowMs, call.firstAtMs) === true) return { next: 'again' };
  return { next: 'give up' };
}
