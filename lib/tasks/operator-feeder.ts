/**
 * One RxJS operator of a user in one run: passes records to it and pumps its outputs. `operatorTask` states the
 * guarantees.
 */
import { isObservable, type Observable, type SchedulerLike, type Subscriber } from 'rxjs';
import { sampleWeight } from '../measure/sampling.js';
import { MillraceError, describeThrown, describeValue } from '../model/errors.js';
import type { TaskContext } from '../model/ports.js';
import { Rejected, type Batch, type Skip } from '../model/record.js';
import { clockScheduler } from '../stream/clock-scheduler.js';
import { contentHash } from '../stream/content-hash.js';
import { Intake } from '../stream/intake.js';
import type { Engine } from '../stream/operate.js';
import { OperatorMeter } from '../stream/operator-meter.js';
import { Outbox } from '../stream/outbox.js';
import { pumpInto } from '../stream/pump-root.js';
import type { TaskScope } from '../stream/task-scope.js';
import { OperatorHistory } from './operator-history.js';
import { OperatorInput } from './operator-input.js';
import { checkInput, checkOutput } from './record-step.js';
import type { TaskOptions } from './task-options.js';

/** The second parameter of the function of an `operatorTask`. */
export interface OperatorContext extends TaskContext {
  /** The clock of the run, for operators that accept a scheduler. */
  readonly scheduler: SchedulerLike;
  /**
   * Reports that the operator holds nothing of the records that it has received: what it emits later depends on later
   * records only. A resumed run then passes only later records to it again. Call it while the operator receives a
   * record, for example behind a `bufferCount`.
   */
  forgetInputs(): void;
}

/** An RxJS operator. The second parameter is for operators that need time or a signal. */
export type RecordOperator<In, Out> = (records$: Observable<In>, context: OperatorContext) => Observable<Out>;

/** The limits of the records that an operator may hold. */
export interface OperatorLimits {
  /** See `OperatorOptions`. */
  readonly buffer: number;
  /** See `OperatorOptions`. */
  readonly history: number;
}

/** The time without movement after which an operator that holds too many records is no longer held back. */
const STILL_MS = 30_000;

export class OperatorFeeder<In, Out> implements Engine<In> {
  private readonly apply: RecordOperator<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly intake: Intake;
  private readonly outbox: Outbox<Out | Rejected>;
  private readonly input: OperatorInput<In>;
  private readonly meter: OperatorMeter;
  /** The most records that the operator may hold. */
  private readonly limit: number;
  private readonly before: (record: In) => In;
  private readonly after: (output: Out | Skip) => Out | Skip;
  /** Set if the input is kept. */
  private readonly history: OperatorHistory<In> | undefined;
  /** Outputs that an earlier incarnation has emitted. They are dropped when the operator emits them again. */
  private had = 0;
  private emitted = 0;
  /** The input that the operator processes now, and the number of outputs since it was passed. */
  private turn = { name: 'start', outputs: 0 };
  /** How often the operator has reported that it holds nothing. */
  private emptied = 0;
  /** True while the operator is given a record, subscribed or completed. */
  private isGiving = false;
  /** Whether the operator has used the time, or has emitted outside of the turn of an input. */
  private isUnrepeatable = false;
  private isInputOver = false;
  private isOver = false;
  private isFeeding = false;
  private handed = 0;
  /** The time at which the operator last emitted or released a record. */
  private movedAtMs = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(
    apply: RecordOperator<In, Out>,
    options: TaskOptions<unknown, unknown>,
    { buffer, history }: OperatorLimits,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.apply = apply;
    this.scope = scope;
    this.subscriber = subscriber;
    this.before = checkInput<In>(options.input, scope.task);
    this.after = checkOutput<Out>(options.output, scope.task);
    this.intake = new Intake(scope, subscriber);
    this.limit = scope.root.window + buffer;
    if (scope.state !== undefined) {
      this.history = new OperatorHistory<In>(scope.state, {
        most: history,
        onFull: () => {
          scope.cannotResume(
            `'${scope.task}' was given more than ${history} records, the most that are kept. Raise \`history\`, call \`forgetInputs\` when the operator is empty, or use a task that keeps its own state`,
          );
        },
        born: () => scope.root.born,
      });
      this.emitted = this.history.outputsBefore;
    }
    if (scope.outputs !== undefined) this.had = scope.past?.born ?? 0;
    this.meter = new OperatorMeter(() => {
      this.movedAtMs = this.scope.clock.monotonicMs();
      this.feed();
    });
    this.input = new OperatorInput(this.meter, () => {
      // The operator may subscribe again, or elsewhere, before it returns.
      queueMicrotask(this.feed);
    });
    this.outbox = new Outbox({
      capacity: scope.root.window + buffer,
      overflow: 'error',
      name: scope.task,
      advice: `That is its \`buffer\` of ${buffer} and the window of ${scope.root.window}. Raise \`buffer\`, or emit less per record`,
      onRead: this.feed,
    });
  }

  connect(): void {
    const { scope, subscriber } = this;
    scope.root.whenRoom(this.feed);
    scope.whenEnding(this.feed);
    scope.account.watch(() => ({ queued: this.intake.size, running: 0, waiting: this.outbox.size }));
    this.isGiving = true;
    subscriber.add(
      this.outputs().subscribe({
        next: (output) => {
          this.emit(output);
        },
        error: (error: unknown) => {
          this.outbox.fail(failed(scope.task, error));
        },
        complete: () => {
          this.isOver = true;
          // The output must end after the input: completing now would lose records that are on their way and must leave
          // their root.
          if (!this.isInputOver) for (const edge of scope.inputs) edge.stop();
          this.feed();
        },
      }),
    );
    this.isGiving = false;
    const outputs = scope.outputs?.continuing<Out | Skip | Rejected>(this.outbox, scope.past) ?? this.outbox;
    pumpInto(outputs, scope, subscriber);
  }

  accept(batch: Batch<In>, input: number): void {
    this.intake.accept(batch, input);
    this.feed();
  }

  endInput(): void {
    this.isInputOver = true;
    this.feed();
  }

  stop(): void {
    this.cancelTimer?.();
  }

  private outputs(): Observable<Out> {
    const { scope, apply } = this;
    let output$: unknown;
    try {
      const forgetInputs = (): void => {
        this.emptied++;
      };
      output$ = apply(this.input.records$, { ...taskContextOf(scope), scheduler: this.scheduler(), forgetInputs });
    } catch (error) {
      throw failed(scope.task, error);
    }
    if (isObservable(output$)) return output$ as Observable<Out>;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected the operator of '${scope.task}' to return an Observable, got ${describeValue(output$)}`,
    );
  }

  /** An operator that uses the time of the run depends on more than its input. */
  private scheduler(): SchedulerLike {
    return clockScheduler(this.scope.clock, () => {
      this.cannotRepeat();
    });
  }

  /** Whether the next record may be handed over, or skipped because the operator has completed. */
  private mayHand(): boolean {
    if (this.isOver) return true;
    if (this.outbox.size >= this.scope.root.room) return false;
    // A drained run does not wait until the operator subscribes.
    const isReady = this.input.isWanted ? this.meter.buffered < this.limit : this.scope.isDraining;
    if (isReady) return true;
    this.watchStandstill();
    return false;
  }

  /** Passes records to the operator one by one while its outputs have room. */
  private readonly feed = (): void => {
    if (this.isFeeding || this.subscriber.closed) return;
    this.isFeeding = true;
    try {
      while (this.history?.isBehind === true && this.mayHand()) this.give(...this.history.nextAgain());
      while (this.history?.isBehind !== true && this.intake.size > 0 && this.mayHand()) {
        const arrival = this.intake.shift();
        if (this.isOver) this.scope.skip('the operator had completed');
        else if (!this.input.isWanted) this.scope.skip('the operator was not subscribed to its input');
        else this.handTimed(arrival.lineage, arrival.value as In);
        this.intake.letGo(arrival);
      }
    } catch (error) {
      this.subscriber.error(error);
    } finally {
      this.isFeeding = false;
    }
    if (!this.isInputOver || this.intake.size > 0 || this.history?.isBehind === true) return;
    // A drained input does not complete the operator: a partial window would be a wrong answer.
    if (this.isOver || this.scope.isDraining) this.outbox.complete();
    else {
      this.isGiving = true;
      this.turnOf('end');
      this.input.complete();
      this.isGiving = false;
    }
  };

  /** Reports an operator that does not accept its input for a long time. */
  private watchStandstill(): void {
    const { clock, task } = this.scope;
    if (this.cancelTimer !== undefined) return;
    this.movedAtMs = clock.monotonicMs();
    const look = (): void => {
      this.cancelTimer = undefined;
      if (this.isOver || this.intake.size === 0) return;
      const isFull = this.meter.buffered >= this.limit;
      if (this.input.isWanted && !isFull) return;
      const leftMs = this.movedAtMs + STILL_MS - clock.monotonicMs();
      if (leftMs > 0) {
        this.cancelTimer = clock.schedule(leftMs, look);
      } else if (this.input.isWanted) {
        this.scope.notice(
          `The operator of '${task}' holds ${this.meter.buffered} records and inner subscriptions (the window and its \`buffer\`), and none of them has ended for ${STILL_MS / 1000} s. It gets further records all the same, so it may need much memory`,
        );
        this.meter.ignore();
        this.feed();
      } else {
        this.scope.notice(
          `The operator of '${task}' has not been subscribed to its input for ${STILL_MS / 1000} s, and has not completed. Its records wait until it subscribes again, and are skipped when it completes`,
        );
      }
    };
    this.cancelTimer = clock.schedule(STILL_MS, look);
  }

  /** Begins the turn of an input. Outputs in this turn are named after the input. */
  private turnOf(name: string): void {
    this.turn = { name, outputs: 0 };
  }

  private handTimed(lineage: number, record: In): void {
    const { clock, account } = this.scope;
    const weight = sampleWeight(this.handed++);
    const startedAtMs = weight > 0 ? clock.monotonicMs() : 0;
    this.hand(lineage, record);
    if (weight > 0) account.meter.looped((clock.monotonicMs() - startedAtMs) * weight);
  }

  private hand(lineage: number, record: In): void {
    let checked: In;
    try {
      checked = this.before(record);
    } catch (error) {
      this.scope.giveUp({ lineage, record, error, attempts: 1, takenFrom: this.scope.inputs[0]?.root });
      return;
    }
    const { scope, history } = this;
    // Only outputs that are kept need the names of the records that they are made of.
    const name = scope.outputs === undefined ? '' : scope.identityOf(lineage, scope.inputs[0]?.root);
    history?.add([checked, name]);
    this.give(checked, name);
  }

  private give(record: In, name: string): void {
    this.isGiving = true;
    const before = this.emptied;
    this.turnOf(name);
    try {
      this.input.next(record);
    } finally {
      this.isGiving = false;
    }
    if (this.emptied > before && !this.isUnrepeatable) this.history?.mark(this.emitted);
  }

  /** The outputs depend on more than the input, so a resumed run needs all of it. */
  private cannotRepeat(): void {
    if (this.isUnrepeatable) return;
    this.isUnrepeatable = true;
    const { scope } = this;
    scope.cannotRepeat();
    this.history?.keepAll();
    if (this.history?.hasForgotten !== true) return;
    scope.cannotResume(
      `'${scope.task}' has called \`forgetInputs\`, and emits outside of the turn of an input, so what lies behind it would have to be repeated from the beginning. Call \`forgetInputs\` only in an operator that emits while it receives a record`,
    );
  }

  private emit(output: Out): void {
    this.movedAtMs = this.scope.clock.monotonicMs();
    if (isObservable(output)) {
      // Its first values are emitted before anything downstream could subscribe to it.
      this.outbox.fail(
        new MillraceError(
          'MILLRACE_INVALID_OUTPUT',
          `Expected the operator of '${this.scope.task}' to emit records, got an Observable. Operators such as groupBy and window emit Observables: flatten them in the same operatorTask, e.g. mergeMap((group) => group.pipe(toArray()))`,
        ),
      );
      return;
    }
    // An output outside of a turn depends on time, or on something outside of the run.
    if (!this.isGiving) this.cannotRepeat();
    const { turn } = this;
    const name = `${turn.name}/${turn.outputs++}`;
    if (this.emitted++ < this.had) return;
    // The same record may complete another output in another incarnation, so the content is part of the identity.
    this.scope.outputs?.announce(() => `${name} ${contentHash(output)}`);
    try {
      this.outbox.push(this.after(output) as Out);
    } catch (error) {
      this.outbox.push(new Rejected(output, error));
    }
  }
}

function failed(task: string, error: unknown): MillraceError {
  return new MillraceError('MILLRACE_TASK', `The operator of '${task}' failed: ${describeThrown(error)}`, {
    cause: error,
  });
}

function taskContextOf(scope: TaskScope): TaskContext {
  const { task, runId, clock, signal } = scope;
  return { task, runId, clock, signal, random: () => scope.random() };
}
