/**
 * Puts a memory around the operator of a task: records whose outputs are known do not reach the task.
 *
 *     accept ─► look up ─┬─ found ─────────────────────────────────► leave
 *                        └─ not found ─► operator of the task ─► store ─┘
 *
 * Guarantees: there is one output slot per input slot, by lineage. At most one window of records is held, and the
 * number of pending store operations is bounded. An output leaves only after it was stored, so a slow store slows the
 * task down instead of filling memory. Only outputs of the function are stored: no skip, no fallback, and nothing of a
 * record that was given up. No record is lost if the store fails.
 */
import { Observable, Subject, type OperatorFunction, type Subscriber } from 'rxjs';
import { Ring } from '../ledger/ring.js';
import { holdClock } from '../model/clock.js';
import { BatchBuilder, GONE, type Batch, type Lineage } from '../model/record.js';
import { operate, type Engine } from '../stream/operate.js';
import { FinishedOutputs } from '../stream/finished-outputs.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Memory } from './memory.js';

/** The most store operations at a time. */
const MOST_OPERATIONS = 32;

export function rememberOutputs(
  inner: OperatorFunction<Batch<unknown>, Batch<unknown>>,
  memory: Memory,
  scope: TaskScope,
): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  return operate((subscriber) => new Remembering(inner, memory, scope, subscriber));
}

interface Arrived {
  readonly lineage: Lineage;
  readonly record: unknown;
}

interface Made {
  readonly lineage: Lineage;
  readonly output: unknown;
  readonly key: string;
  readonly entry: string;
}

class Remembering implements Engine<unknown> {
  private readonly memory: Memory;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<unknown>>;
  /** The input of the operator of the task. */
  private readonly unknown$ = new Subject<Batch<unknown>>();
  /** Records that have not been looked up. */
  private readonly arrived: Ring<Arrived>;
  /** Outputs that have not been stored. */
  private readonly made: Ring<Made>;
  /** The keys of the records that the task processes. A record that was given up has none. */
  private readonly keys = new Map<Lineage, string>();
  private misses = new BatchBuilder<unknown>();
  private readonly outputs: FinishedOutputs<unknown>;
  private operations = 0;
  private looking = 0;
  private storing = 0;
  private isFlushDue = false;
  private isPumpDue = false;
  private isInputOver = false;
  private isTaskFed = false;
  private isTaskOver = false;
  private isStopped = false;

  constructor(
    inner: OperatorFunction<Batch<unknown>, Batch<unknown>>,
    memory: Memory,
    scope: TaskScope,
    subscriber: Subscriber<Batch<unknown>>,
  ) {
    const { mostInFlight } = scope.root;
    this.memory = memory;
    this.scope = scope;
    this.subscriber = subscriber;
    this.arrived = new Ring(mostInFlight);
    this.made = new Ring(mostInFlight);
    this.outputs = new FinishedOutputs(scope, subscriber, memory.isOrdered);
    scope.whenGivenUp((lineage) => this.keys.delete(lineage));
    const outputs$: Observable<Batch<unknown>> = inner(this.unknown$);
    subscriber.add(
      outputs$.subscribe({
        next: (batch) => {
          this.acceptOutputs(batch);
        },
        error: (error: unknown) => {
          subscriber.error(error);
        },
        complete: () => {
          this.isTaskOver = true;
          this.completeIfDone();
        },
      }),
    );
    scope.account.watchBeside(() => ({
      queued: this.arrived.size + this.misses.length,
      running: this.looking + this.storing + this.made.size,
      waiting: this.outputs.waiting,
    }));
  }

  accept({ lineages, values, gone }: Batch<unknown>): void {
    const { account, clock } = this.scope;
    account.in += lineages.length - gone;
    account.touch(clock.monotonicMs());
    this.outputs.expect(lineages);
    lineages.forEach((lineage, index) => {
      const record = values[index];
      if (record === GONE) this.leave(lineage, GONE);
      else this.arrived.push({ lineage, record });
    });
    this.pump();
  }

  endInput(): void {
    this.isInputOver = true;
    this.endTaskInput();
  }

  stop(): void {
    this.isStopped = true;
    this.arrived.clear();
    this.made.clear();
    this.keys.clear();
  }

  /** Starts store operations up to the limit. Outputs are stored first, because they free the window. */
  private pump(): void {
    while (!this.isStopped && this.operations < MOST_OPERATIONS) {
      if (this.made.size > 0) void this.store(this.made.shift());
      else if (this.arrived.size > 0) {
        // The hash of a large record takes time.
        if (this.scope.turn.isLong()) {
          this.pumpSoon();
          return;
        }
        void this.lookUp(this.arrived.shift());
      } else return;
    }
  }

  private pumpSoon(): void {
    if (this.isPumpDue) return;
    this.isPumpDue = true;
    this.scope.turn.defer(() => {
      this.isPumpDue = false;
      this.pump();
    });
  }

  /** Never rejects. */
  private async lookUp({ lineage, record }: Arrived): Promise<void> {
    const { memory } = this;
    const key = memory.keyOf(record);
    this.operations++;
    this.looking++;
    const found = key === undefined ? undefined : await holdClock(this.scope.clock, memory.find(key));
    this.operations--;
    this.looking--;
    if (this.isStopped) return;
    if (found === undefined) {
      memory.counts.misses++;
      if (key !== undefined) this.keys.set(lineage, key);
      this.misses.push(lineage, record);
      this.flushSoon();
    } else {
      memory.counts.hits++;
      this.leave(lineage, found.value);
    }
    this.pump();
  }

  private acceptOutputs({ lineages, values, gone }: Batch<unknown>): void {
    // The outputs leave the task only when they are stored.
    this.scope.account.out -= lineages.length - gone;
    lineages.forEach((lineage, index) => {
      const output = values[index];
      const key = this.keys.get(lineage);
      this.keys.delete(lineage);
      // The entry is made before a task downstream can change the output.
      const entry = output === GONE || key === undefined ? undefined : this.memory.entryOf(key, output);
      if (entry === undefined) this.leave(lineage, output);
      else this.made.push({ lineage, output, key: key as string, entry });
    });
    this.pump();
  }

  /** Never rejects. */
  private async store({ lineage, output, key, entry }: Made): Promise<void> {
    this.operations++;
    this.storing++;
    await holdClock(this.scope.clock, this.memory.keep(key, entry));
    this.operations--;
    this.storing--;
    if (this.isStopped) return;
    this.leave(lineage, output);
    this.pump();
  }

  private leave(lineage: Lineage, output: unknown): void {
    this.outputs.add(lineage, output);
    if (this.outputs.isReady) this.flushSoon();
  }

  /** Records that are ready at the same time leave as one batch. */
  private flushSoon(): void {
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    this.isFlushDue = false;
    if (this.isStopped) return;
    if (this.misses.length > 0) {
      const misses = this.misses.build();
      // The operator of the task counts these records itself.
      this.scope.account.in -= misses.length;
      this.unknown$.next(misses);
    }
    if (this.outputs.isReady && !this.hasEnded()) this.outputs.emit();
    this.endTaskInput();
    this.completeIfDone();
  };

  /** A method, not the field, so that TypeScript does not narrow it across calls. */
  private hasEnded(): boolean {
    return this.isStopped;
  }

  private endTaskInput(): void {
    if (!this.isInputOver || this.isTaskFed || this.isStopped) return;
    if (this.arrived.size > 0 || this.looking > 0 || this.misses.length > 0) return;
    this.isTaskFed = true;
    this.unknown$.complete();
  }

  private completeIfDone(): void {
    if (!this.isTaskOver || this.isFlushDue || this.isStopped) return;
    if (this.made.size > 0 || this.storing > 0 || this.outputs.isReady) return;
    this.subscriber.complete();
  }
}
