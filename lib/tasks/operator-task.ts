/**
 * Any RxJS operator over plain records, as a task. A boundary: what it emits is a new root.
 *
 * Promises: the operator is fed only while its outputs' window has room, so backpressure reaches through it; what it
 * emits beyond that (a burst from one input) waits in a bounded buffer; an operator that completes early stops its
 * sources; an error it emits fails the run, because it has no record to blame.
 */
import { Observable, Subject, type OperatorFunction, type SchedulerLike, type Subscriber } from 'rxjs';
import { MillraceError, describeThrown } from '../model/errors.js';
import { checkFunction, checkOptions, count, type OptionRules } from '../options/options.js';
import type { TaskContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import { Rejected, type Batch, type Skip } from '../model/record.js';
import { sampleWeight } from '../measure/sampling.js';
import { clockScheduler } from '../stream/clock-scheduler.js';
import { Intake } from '../stream/intake.js';
import { Outbox } from '../stream/outbox.js';
import { pumpRoot } from '../stream/pump-root.js';
import { checkInput, checkOutput } from './record-step.js';
import { BaseTask, type Task } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

/** What the function of an `operatorTask` gets beside its records. */
export interface OperatorContext extends TaskContext {
  /** The run's time for operators that take a scheduler. */
  readonly scheduler: SchedulerLike;
}

/** An RxJS operator; the second parameter is there for those that need time or a signal. */
export type RecordOperator<In, Out> = (records$: Observable<In>, context: OperatorContext) => Observable<Out>;

/** Options of `operatorTask`. */
export interface OperatorOptions<In, Out> extends TaskOptions<In, Out> {
  /** The most outputs waiting for credits beyond the window; one more fails the run. Default 65,536. */
  readonly buffer?: number;
}

const DEFAULT_BUFFER = 65_536;

const RULES: OptionRules<OperatorOptions<unknown, unknown>> = { ...TASK_RULES, buffer: count() };

/**
 * An RxJS operator, or several composed with `pipe`, over the records of this edge. An error it emits fails the run with
 * MILLRACE_TASK. Throws MILLRACE_INVALID_OPTION for an operator that is no function and options that do not fit.
 *
 * @example operatorTask(bufferCount<Row>(100))
 * @example operatorTask((prices$: Observable<Price>, { scheduler }) => prices$.pipe(auditTime(1000, scheduler)))
 */
export function operatorTask<In, Out>(
  operator: RecordOperator<In, Out>,
  options: OperatorOptions<In, Out> = {},
): Task<In, Out> {
  checkFunction('the operator of an operatorTask', operator);
  checkOptions('an operatorTask', options, RULES);
  return new OperatorTask(operator, options);
}

class OperatorTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind = 'operator';
  override readonly bearing = 'boundary';
  override readonly emitsOnItsOwn = true;
  private readonly apply: RecordOperator<In, Out>;
  private readonly buffer: number;

  constructor(apply: RecordOperator<In, Out>, options: OperatorOptions<In, Out>) {
    super(options);
    this.apply = apply;
    this.buffer = options.buffer ?? DEFAULT_BUFFER;
  }

  override operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return (input$) =>
      new Observable((subscriber) => {
        new Feeder<In, Out>(this.apply, this.options, this.buffer, scope, subscriber).connect(input$);
      });
  }
}

class Feeder<In, Out> {
  private readonly apply: RecordOperator<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly intake: Intake;
  private readonly outbox: Outbox<Out | Rejected>;
  private readonly records$ = new Subject<In>();
  private readonly before: (record: In) => In;
  private readonly after: (output: Out | Skip) => Out | Skip;
  private isInputOver = false;
  private isOver = false;
  private isFeeding = false;
  private handed = 0;

  constructor(
    apply: RecordOperator<In, Out>,
    options: TaskOptions<unknown, unknown>,
    buffer: number,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.apply = apply;
    this.scope = scope;
    this.subscriber = subscriber;
    this.before = checkInput<In>(options.input, scope.task);
    this.after = checkOutput<Out>(options.output, scope.task);
    this.intake = new Intake(scope);
    this.outbox = new Outbox({
      capacity: scope.root.window + buffer,
      overflow: 'error',
      name: scope.task,
      advice: `That is its \`buffer\` of ${buffer} and the window of ${scope.root.window}: raise it, or emit less for one record`,
      onTaken: this.feed,
    });
  }

  connect(input$: Observable<Batch<In>>): void {
    const { scope, subscriber } = this;
    scope.root.whenRoom(this.feed);
    scope.whenEnding(this.feed);
    scope.account.watch(() => ({ queued: this.intake.size, running: 0, waiting: this.outbox.size }));
    const output$ = this.apply(this.records$, { ...taskContextOf(scope), scheduler: clockScheduler(scope.clock) });
    subscriber.add(
      output$.subscribe({
        next: (output) => {
          this.emit(output);
        },
        error: (error: unknown) => {
          this.outbox.fail(
            new MillraceError('MILLRACE_TASK', `The operator of '${scope.task}' failed: ${describeThrown(error)}`, {
              cause: error,
            }),
          );
        },
        complete: () => {
          this.isOver = true;
          // The output ends after the input: completing now would cut off what is on its way and has to leave its root.
          if (!this.isInputOver) for (const edge of scope.inputs) edge.stop();
          this.feed();
        },
      }),
    );
    subscriber.add(pumpRoot<Out>(this.outbox, scope).subscribe(subscriber));
    this.intake.connect(
      [input$],
      {
        onArrival: this.feed,
        onInputOver: () => {
          this.isInputOver = true;
          this.feed();
        },
      },
      subscriber,
    );
  }

  /** Hands records to the operator one by one while its outputs have room. */
  private readonly feed = (): void => {
    if (this.isFeeding) return;
    this.isFeeding = true;
    try {
      while (this.intake.size > 0 && (this.isOver || this.outbox.size < this.scope.root.room)) {
        const arrival = this.intake.shift();
        if (this.isOver) this.scope.skip('the operator had completed');
        else this.handTimed(arrival.lineage, arrival.value as In);
        this.intake.letGo(arrival);
      }
    } catch (error) {
      this.subscriber.error(error);
    } finally {
      this.isFeeding = false;
    }
    if (!this.isInputOver || this.intake.size > 0) return;
    // A drained input is not over for the operator: a partial window would be a wrong answer.
    if (this.isOver || this.scope.isDraining) this.outbox.complete();
    else this.records$.complete();
  };

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
    this.records$.next(checked);
  }

  private emit(output: Out): void {
    try {
      this.outbox.push(this.after(output) as Out);
    } catch (error) {
      this.outbox.push(new Rejected(output, error));
    }
  }
}

function taskContextOf(scope: TaskScope): TaskContext {
  const { task, runId, clock, signal } = scope;
  return { task, runId, clock, signal, random: () => scope.random() };
}
