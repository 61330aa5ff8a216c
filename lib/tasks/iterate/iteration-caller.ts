/**
 * Iterations as the calls of a task: each round of a call is one iteration.
 *
 * Guarantees: a state is the result of an iteration that has ended. An attempt that failed, timed out or lost against
 * another attempt changes nothing. If the state of the task is kept, a checkpoint contains the last state of each
 * record that is iterated, and a resumed run continues from it. A record that is another one in the resumed run, because
 * a task in front of this one ended otherwise, begins with its first state.
 */
import { Again, type Attempt, type Call, type Caller, type CallOutcomes, type CancelReason } from '../../calls/call.js';
import { refusePromise } from '../../model/awaitable.js';
import { describeThrown, MillraceError } from '../../model/errors.js';
import { Skip, type Lineage } from '../../model/record.js';
import type { Awaitable } from '../../model/ports.js';
import { AttemptSignal } from '../../stream/attempt-signal.js';
import { contentHash } from '../../stream/content-hash.js';
import { KeptEntries } from '../../stream/kept-entries.js';
import type { Change, StateHolder, StateSpace } from '../../stream/state-space.js';
import type { TaskScope } from '../../stream/task-scope.js';
import { counted } from '../../text/printable.js';
import { checkInputEventually, checkOutputEventually, StepContext } from '../record-step.js';
import type { TaskOptions } from '../task-options.js';
import type { Iterated, IterationContext } from './iterated.js';

/** The progress of a record. */
interface Standing<State> {
  readonly state: State;
  /** The iterations that have ended. */
  readonly iterations: number;
  /** The record as it arrived. */
  readonly record: unknown;
}

/** The progress of a record in an earlier incarnation. */
interface EarlierStanding<State> {
  readonly state: State;
  readonly iterations: number;
  /** The hash of the record. */
  readonly hash: string;
}

/** The context of one iteration, as the user's function sees it. */
export class StepOfRecord<In> extends StepContext implements IterationContext<In> {
  readonly record: In;
  readonly iteration: number;

  constructor(
    scope: TaskScope,
    { lineage, attempt, waiting }: { lineage: Lineage; attempt: number; waiting: AttemptSignal },
    record: In,
    iteration: number,
  ) {
    super(scope, lineage, attempt, waiting);
    this.record = record;
    this.iteration = iteration;
  }
}

export class IterationCaller<In, State> implements Caller<In, State | Skip> {
  readonly goesOn = true;
  private readonly iterated: Iterated<In, State>;
  private readonly scope: TaskScope;
  private readonly before: (record: In) => Awaitable<In>;
  private readonly after: (state: State | Skip) => Awaitable<State | Skip>;
  private readonly standings = new Map<Lineage, Standing<State>>();
  /** Set if the state is kept. */
  private readonly kept: KeptStandings<State> | undefined;

  /** @param isDurable whether the states are kept, in a run that keeps states. */
  constructor(
    iterated: Iterated<In, State>,
    options: TaskOptions<unknown, unknown>,
    scope: TaskScope,
    isDurable: boolean,
  ) {
    this.iterated = iterated;
    this.scope = scope;
    this.before = checkInputEventually<In>(options.input, scope.task);
    this.after = checkOutputEventually<State>(options.output, scope.task);
    if (scope.state !== undefined && isDurable) {
      this.kept = new KeptStandings(scope.state, this.standings, (lineage) => scope.identityOf(lineage));
    }
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, State | Skip>): void {
    for (const attempt of attempts) void this.run(attempt, outcomes);
  }

  cancel({ handle }: Attempt<In>, _reason: CancelReason, error: unknown): void {
    if (handle instanceof AttemptSignal) handle.abort(error);
  }

  ended(lineage: Lineage): void {
    this.standings.delete(lineage);
    this.kept?.ended(lineage);
  }

  /** Never rejects. */
  private async run(attempt: Attempt<In>, outcomes: CallOutcomes<In, State | Skip>): Promise<void> {
    // Another attempt that started in the same call may have ended the run.
    if (attempt.isOver) return;
    const { call, number } = attempt;
    const { lineage } = call;
    const waiting = new AttemptSignal();
    attempt.handle = waiting;
    let output: State | Skip | Again;
    try {
      const record = await this.before(call.record);
      const { state, iterations } = this.standingOf(call, record);
      const context = new StepOfRecord(this.scope, { lineage, attempt: number, waiting }, record, iterations + 1);
      const next = await this.iterated.step(state, context);
      // The result of an attempt that is over is ignored: its report means only that its work has ended.
      output = isOver(attempt) ? new Again(0) : await this.settle(call, next, iterations + 1);
    } catch (error) {
      outcomes.fail(attempt, error);
      return;
    }
    outcomes.succeed(attempt, output);
  }

  /** The progress of the record, from this incarnation or an earlier one, or its first state. */
  private standingOf(call: Call<In>, record: In): Standing<State> {
    const known = this.standings.get(call.lineage) ?? this.kept?.restored(call.lineage, call.record);
    if (known !== undefined) return known;
    return { state: this.asked('init', () => this.iterated.init(record)), iterations: 0, record: call.record };
  }

  private settle(
    { lineage, record }: Call<In>,
    next: State | Skip,
    iterations: number,
  ): Awaitable<State | Skip | Again> {
    const { iterated, scope } = this;
    scope.account.iterations++;
    if (next instanceof Skip) return next;
    const isDone = this.asked('until', () => iterated.until(next));
    refusePromise(isDone, `\`until\` of '${scope.task}'`);
    if (isDone) return this.after(next);
    if (iterations >= iterated.maxIterations) {
      throw new MillraceError(
        'MILLRACE_ITERATIONS',
        `'${scope.task}' was not done with the record after ${counted(iterations, 'iteration')}, the most allowed. Raise \`maxIterations\`, or let \`until\` end it earlier`,
      );
    }
    this.standings.set(lineage, { state: next, iterations, record });
    this.kept?.entries.changed(lineage);
    return new Again(iterated.everyMs ?? 0);
  }

  /** Calls a function of the user. Its errors are not retried, because they would occur again. */
  private asked<Answer>(name: 'init' | 'until', ask: () => Answer): Answer {
    try {
      return ask();
    } catch (error) {
      const message = `\`${name}\` of '${this.scope.task}' threw: ${describeThrown(error)}`;
      throw new MillraceError('MILLRACE_TASK', message, { cause: error });
    }
  }
}

/** A function, so that TypeScript does not narrow the field across the work of the attempt. */
function isOver(attempt: Attempt<unknown>): boolean {
  return attempt.isOver;
}

/** The durable form of the progress: the iterations and the state of each record, by the identity of the record. */
class KeptStandings<State> implements StateHolder {
  readonly entries: KeptEntries<Lineage>;
  private readonly standings: Map<Lineage, Standing<State>>;
  private readonly identityOf: (lineage: Lineage) => string;
  /** Progress from an earlier incarnation, of records that have not arrived again. */
  private readonly before = new Map<string, EarlierStanding<State>>();

  constructor(space: StateSpace, standings: Map<Lineage, Standing<State>>, identityOf: (lineage: Lineage) => string) {
    this.standings = standings;
    this.identityOf = identityOf;
    this.entries = new KeptEntries((lineage) => {
      const standing = standings.get(lineage);
      return standing && [[standing.iterations, standing.state, contentHash(standing.record)]];
    }, identityOf);
    for (const [key, entry] of space.restored) {
      const [iterations, state, hash] = entry as readonly [number, State, string];
      this.before.set(key, { iterations, state, hash });
    }
    space.setHolder(this);
    space.consumed();
  }

  /** The progress of the record in an earlier incarnation; undefined if there is none, or if it is another record. */
  restored(lineage: Lineage, record: unknown): Standing<State> | undefined {
    const earlier = this.claim(lineage);
    if (earlier === undefined || earlier.hash !== contentHash(record)) return undefined;
    const standing = { state: earlier.state, iterations: earlier.iterations, record };
    this.standings.set(lineage, standing);
    return standing;
  }

  /** Called when the record has left. */
  ended(lineage: Lineage): void {
    // A record may leave before its first attempt, such as one that is given up while it waits.
    this.claim(lineage);
    this.standings.delete(lineage);
    this.entries.removed(lineage);
  }

  changes(): Iterable<Change> {
    return this.entries.changes();
  }

  /** From now on the stored entry belongs to this lineage, and is replaced or removed with it. */
  private claim(lineage: Lineage): EarlierStanding<State> | undefined {
    if (this.before.size === 0) return undefined;
    const key = this.identityOf(lineage);
    const earlier = this.before.get(key);
    if (earlier === undefined) return undefined;
    this.before.delete(key);
    this.entries.restored(lineage, key);
    return earlier;
  }
}
