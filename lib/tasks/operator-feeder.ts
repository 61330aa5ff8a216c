/**
 * One RxJS operator of a user in one run: passes records to it and pumps its outputs. `operatorTask` states the
 * guarantees.
 */
import { Subject, type Observable, type SchedulerLike, type Subscriber } from 'rxjs';
import { sampleWeight } from '../measure/sampling.js';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { TaskContext } from '../model/ports.js';
import { Rejected, type Batch, type Skip } from '../model/record.js';
import { clockScheduler } from '../stream/clock-scheduler.js';
import { Intake } from '../stream/intake.js';
import { Outbox } from '../stream/outbox.js';
import { pumpRoot } from '../stream/pump-root.js';
import type { TaskScope } from '../stream/task-scope.js';
import { checkInput, checkOutput } from './record-step.js';
import type { TaskOptions } from './task-options.js';

/** The second parameter of the function of an `operatorTask`. */
export interface OperatorContext extends TaskContext {
  /** The clock of the run, for operators that accept a scheduler. */
  readonly scheduler: SchedulerLike;
}

/** An RxJS operator. The second parameter is for operators that need time or a signal. */
export type RecordOperator<In, Out> = (records$: Observable<In>, context: OperatorContext) => Observable<Out>;

export class OperatorFeeder<In, Out> {
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
      advice: `That is its \`buffer\` of ${buffer} and the window of ${scope.root.window}. Raise \`buffer\`, or emit less per record`,
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
          // The output must end after the input: completing now would lose records that are on their way and must leave
          // their root.
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

  /** Passes records to the operator one by one while its outputs have room. */
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
    // A drained input does not complete the operator: a partial window would be a wrong answer.
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
