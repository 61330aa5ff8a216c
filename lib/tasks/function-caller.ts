/**
 * Attempts that run a function of the user's, where there may be several a record.
 *
 * Promise: each attempt has a signal of its own, which aborts when nobody waits for it any more: it took too long,
 * another try won, or the run is over.
 */
import type { Skip } from '../core/record.js';
import type { Attempt, Caller, CallOutcomes } from '../stream/call.js';
import type { AsyncStep } from './record-step.js';

export class FunctionCaller<In, Out> implements Caller<In, Out | Skip> {
  private readonly step: AsyncStep<In, Out>;

  constructor(step: AsyncStep<In, Out>) {
    this.step = step;
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out | Skip>): void {
    for (const attempt of attempts) void this.run(attempt, outcomes);
  }

  cancel(attempt: Attempt<In>): void {
    const { handle } = attempt;
    attempt.handle = undefined;
    if (handle instanceof AbortController) handle.abort();
  }

  /** Never rejects. */
  private async run(attempt: Attempt<In>, outcomes: CallOutcomes<In, Out | Skip>): Promise<void> {
    if (attempt.isOver) return;
    const { call, number } = attempt;
    const waiting = new AbortController();
    attempt.handle = waiting;
    let result: { readonly output: Out | Skip } | { readonly error: unknown };
    try {
      result = { output: await this.step(call.record, call.lineage, number, waiting.signal) };
    } catch (error) {
      result = { error };
    }
    if (attempt.handle === undefined) return;
    attempt.handle = undefined;
    if ('error' in result) outcomes.fail(attempt, result.error);
    else outcomes.succeed(attempt, result.output);
  }
}
