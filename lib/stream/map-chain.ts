/**
 * Runs the functions of adjacent synchronous tasks over each record, one after the other, as one operator.
 *
 * Guarantees: outputs, accounts, skips, failures and dead letters are those of separate tasks. Outputs of a task in the
 * middle are emitted to its observers, and are not kept if there are none. The time per task is estimated from a sample
 * of the records.
 */
import type { OperatorFunction } from 'rxjs';
import type { TaskScope } from './task-scope.js';
import { Batch, GONE, Skip, type Gone, type Lineage } from '../model/record.js';
import { compileChainLoop, type ChainLoop, type Endings } from './chain-loop.js';
import type { SyncStep } from './map-sync.js';
import { countRecords, refusePromises, syncOperator, type SyncWork } from './sync-mapper.js';

/** One task of the chain. */
export interface ChainTask {
  readonly scope: TaskScope;
  readonly step: SyncStep<unknown, unknown>;
  /** For a task before the last: the destination of its outputs, and whether it is observed. */
  readonly tap?: { readonly isObserved: () => boolean; readonly emit: (batch: Batch<unknown>) => void };
}

/** The number of records per stretch that pass task by task, so that each task can be timed. */
const SAMPLE = 16;

export function mapChain(
  tasks: readonly [ChainTask, ...ChainTask[]],
): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  return syncOperator(() => new Chain(tasks));
}

class Chain implements SyncWork<unknown, unknown>, Endings {
  readonly first: TaskScope;
  readonly last: TaskScope;
  private readonly tasks: readonly ChainTask[];
  private readonly loop: ChainLoop | undefined;
  /** In the current stretch: the number of records that ended in each task. */
  private readonly ended: number[];
  /** In the current slice: the time that the sample spent in each task, in milliseconds. */
  private readonly sampledMs: number[];

  constructor(tasks: readonly [ChainTask, ...ChainTask[]]) {
    this.tasks = tasks;
    this.first = tasks[0].scope;
    this.last = (tasks.at(-1) ?? tasks[0]).scope;
    this.loop = compileChainLoop(
      tasks.map(({ step }) => step),
      this,
    );
    this.ended = tasks.map(() => 0);
    this.sampledMs = tasks.map(() => 0);
  }

  run(batch: Batch<unknown>, at: number, until: number, outputs: unknown[], offset: number): number {
    const { values, lineages } = batch;
    const slots = until - at;
    const came = batch.gone === 0 ? slots : countRecords(batch, at, until);
    this.ended.fill(0);
    const isObserved = this.tasks.some(({ tap }) => tap?.isObserved() === true);
    const sampled = this.loop === undefined || isObserved ? until : Math.min(until, at + SAMPLE);
    this.runByTask(batch, at, sampled, outputs, offset);
    if (sampled < until) this.loop?.(values, lineages, outputs, sampled, until, offset);
    const left = this.count(came);
    return slots - left;
  }

  recordTime(startedAtMs: number, nowMs: number, slots: number, queuedMs: number): void {
    const { sampledMs } = this;
    const all = sampledMs.reduce((sum, ms) => sum + ms, 0);
    let fromMs = startedAtMs;
    for (const [index, { scope }] of this.tasks.entries()) {
      const share = all === 0 ? 1 / this.tasks.length : (sampledMs[index] as number) / all;
      const isLast = index === this.tasks.length - 1;
      const toMs = isLast ? nowMs : Math.min(nowMs, fromMs + share * (nowMs - startedAtMs));
      scope.account.worked(fromMs, toMs);
      scope.sampleLatency((toMs - fromMs) / slots);
      scope.sampleQueueing(index === 0 ? queuedMs : 0);
      if (!isLast) scope.account.batches++;
      fromMs = toMs;
    }
    sampledMs.fill(0);
  }

  skip(step: number, { reason }: Skip): Gone {
    (this.ended[step] as number)++;
    return this.scopeOf(step).skip(reason);
  }

  fail(step: number, lineage: Lineage, record: unknown, error: unknown): unknown {
    let left = this.giveUp(step, lineage, record, error);
    // A fallback passes the following tasks like an output.
    for (let next = step + 1; next < this.tasks.length && left !== GONE; next++)
      left = this.runOne(next, lineage, left);
    return left;
  }

  /** Runs task after task, as separate tasks would. */
  private runByTask(
    { values, lineages }: Batch<unknown>,
    at: number,
    until: number,
    outputs: unknown[],
    offset: number,
  ): void {
    const from = at - offset;
    const to = until - offset;
    for (let i = at; i < until; i++) outputs[i - offset] = values[i];
    let startedAtMs = this.first.clock.monotonicMs();
    for (const [step, { tap, scope }] of this.tasks.entries()) {
      for (let i = from; i < to; i++) {
        if (outputs[i] !== GONE) outputs[i] = this.runOne(step, lineages[i + offset] as Lineage, outputs[i]);
      }
      const nowMs = this.first.clock.monotonicMs();
      (this.sampledMs[step] as number) += nowMs - startedAtMs;
      startedAtMs = nowMs;
      refusePromises(outputs, from, to, scope.task);
      if (tap?.isObserved() === true) {
        const made = outputs.slice(from, to);
        const gone = made.reduce<number>((count, value) => (value === GONE ? count + 1 : count), 0);
        tap.emit(new Batch(lineages.slice(at, until), made, gone));
      }
    }
  }

  private runOne(step: number, lineage: Lineage, record: unknown): unknown {
    const { run, context } = (this.tasks[step] as ChainTask).step;
    context.lineage = lineage;
    try {
      const result = run(record, context);
      return typeof result === 'object' && result instanceof Skip ? this.skip(step, result) : result;
    } catch (error) {
      return this.giveUp(step, lineage, record, error);
    }
  }

  private giveUp(step: number, lineage: Lineage, record: unknown, error: unknown): unknown {
    const left = this.scopeOf(step).giveUp({ lineage, record, error, attempts: 1 });
    if (left === GONE) (this.ended[step] as number)++;
    return left;
  }

  /** Counts the input and output of each task. The output of the last task is counted when it leaves. */
  private count(came: number): number {
    let left = came;
    for (const [step, { scope }] of this.tasks.entries()) {
      if (step > 0) scope.account.in += left;
      left -= this.ended[step] as number;
      if (step < this.tasks.length - 1) scope.account.out += left;
    }
    return left;
  }

  private scopeOf(step: number): TaskScope {
    return (this.tasks[step] as ChainTask).scope;
  }
}
