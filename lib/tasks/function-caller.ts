/**
 * Attempts that run a user's function, several per record if needed.
 *
 * Guarantees: each attempt has a signal of its own, which aborts when its result is no longer needed: the attempt
 * exceeded its limit, another attempt succeeded first, or the run is over. A function cannot be ended from outside, so
 * an attempt ends when its function ends.
 */
import type { Skip } from '../model/record.js';
import type { Attempt, Caller, CallOutcomes, CancelReason } from '../calls/call.js';
import { makeSignal, type Abortable, type AsyncStep } from '../stream/map-bounded.js';

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
    (handle as Abortable | undefined)?.abort(error);
  }

  /** Never rejects. */
  private async run(attempt: Attempt<In>, outcomes: CallOutcomes<In, Out | Skip>): Promise<void> {
    // Another attempt that started in the same call may have ended the run.
    if (attempt.isOver) return;
    const { call, number } = attempt;
    const context = this.step.begin(call.lineage, number, makeSignal);
    attempt.handle = context;
    let output: Out | Skip;
    try {
      output = await this.step.run(call.record, context);
    } catch (error) {
      outcomes.fail(attempt, error);
      return;
    }
    outcomes.succeed(attempt, output);
  }
}
