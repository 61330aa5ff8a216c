/**
 * Attempts that run a function of the user's, where there may be several a record.
 *
 * Promise: each attempt has a signal of its own, which aborts when nobody waits for it any more: it took too long,
 * another try won, or the run is over. A function cannot be ended from outside, so an attempt is over when its function is.
 */
import type { Skip } from '../model/record.js';
import { AttemptSignal } from '../stream/attempt-signal.js';
import type { Attempt, Caller, CallOutcomes, CancelReason } from '../calls/call.js';
import type { AsyncStep } from '../stream/map-bounded.js';

export class FunctionCaller<In, Out> implements Caller<In, Out | Skip> {
  readonly goesOn = true;
  private readonly step: AsyncStep<In, Out>;

  constructor(step: AsyncStep<In, Out>) {
    this.step = step;
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out | Skip>): void {
    for (const attempt of attempts) void this.run(attempt, outcomes);
  }

  cancel({ handle }: Attempt<In>, _reason: CancelReason, error: unknown): void {
    if (handle instanceof AttemptSignal) handle.abort(error);
  }

  /** Never rejects. */
  private async run(attempt: Attempt<In>, outcomes: CallOutcomes<In, Out | Skip>): Promise<void> {
    // What was let through beside it may have ended the run.
    if (attempt.isOver) return;
    const { call, number } = attempt;
    const waiting = new AttemptSignal();
    attempt.handle = waiting;
    let output: Out | Skip;
    try {
      output = await this.step(call.record, call.lineage, number, waiting);
    } catch (error) {
      outcomes.fail(attempt, error);
      return;
    }
    outcomes.succeed(attempt, output);
  }
}
