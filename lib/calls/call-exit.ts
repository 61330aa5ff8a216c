/**
 * Where answered records leave: all that end in one go leave as one batch, in input order where that is asked for.
 * Promise: a lineage leaves once; nothing is emitted after `stop`.
 */
import type { TaskScope } from '../stream/task-scope.js';
import { BatchBuilder, GONE, type Batch, type Gone, type Lineage } from '../model/record.js';
import { Reorder } from '../stream/reorder.js';

export class CallExit<Out> {
  /** Outputs that have not left yet. */
  waiting = 0;
  /** Whether a flush is due. */
  isFlushing = false;
  private readonly scope: TaskScope;
  private readonly emit: (batch: Batch<Out>) => void;
  private readonly afterFlush: () => void;
  private readonly done = new BatchBuilder<Out>();
  private readonly reorder: Reorder<Out> | undefined;
  private isStopped = false;

  /** @param afterFlush called in the turn in which something ended, after it has left: there are free slots. */
  constructor(isOrdered: boolean, scope: TaskScope, emit: (batch: Batch<Out>) => void, afterFlush: () => void) {
    this.scope = scope;
    this.emit = emit;
    this.afterFlush = afterFlush;
    this.reorder = isOrdered ? new Reorder(scope.root.window) : undefined;
  }

  get isEmpty(): boolean {
    return this.done.length === 0;
  }

  /** These come in: their order is that of leaving, and what is gone already leaves as it comes. */
  expect({ lineages, values, gone }: Batch<unknown>): void {
    if (this.reorder !== undefined) for (const lineage of lineages) this.reorder.expect(lineage);
    if (gone === 0) return;
    for (let i = 0; i < values.length; i++) if (values[i] === GONE) this.leave(lineages[i] as Lineage, GONE);
  }

  leave(lineage: Lineage, output: Out | Gone): void {
    if (output !== GONE) this.waiting++;
    if (this.reorder === undefined) this.done.push(lineage, output);
    else this.reorder.release(lineage, output, this.done);
    this.flushSoon();
  }

  flushSoon(): void {
    if (this.isFlushing) return;
    this.isFlushing = true;
    // Runs when no continuation is due any more.
    process.nextTick(this.flush);
  }

  stop(): void {
    this.isStopped = true;
  }

  private readonly flush = (): void => {
    this.isFlushing = false;
    if (this.isStopped) return;
    if (this.done.length > 0) {
      const { account, clock } = this.scope;
      const batch = this.done.take();
      const count = batch.length - batch.gone;
      this.waiting -= count;
      account.out += count;
      account.touch(clock.monotonicMs());
      this.emit(batch);
    }
    this.afterFlush();
  };
}
