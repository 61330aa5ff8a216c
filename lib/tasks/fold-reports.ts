/**
 * The reports of the threads that read and fold parts of a source, counted in the accounts of the source and of the
 * aggregating task.
 *
 * Guarantees: every record of the source enters and leaves the root of the source once, and both accounts balance after
 * every report. Threads wait while dead letters cannot be written. Closing ends all parts.
 */
import type { ItemReader, ModuleRef } from '../execution/executor.js';
import { Waiter } from '../model/awaitable.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { BadRecord, FoldProgress } from './source-parts.js';

/** `source` is the source whose records are read, `scope` the task that aggregates them. */
export interface FoldScopes {
  readonly source: TaskScope;
  readonly scope: TaskScope;
}

export class FoldReports {
  readonly readers: readonly ItemReader<unknown>[];
  isClosed = false;
  private readonly scopes: FoldScopes;
  /** Parts that wait for dead letters to be written. */
  private readonly waiter = new Waiter();

  constructor(parts: readonly ModuleRef[], scopes: FoldScopes) {
    this.scopes = scopes;
    this.readers = parts.map((ref) => scopes.scope.executor.stream(ref));
    // Registered once, because listeners are never removed.
    scopes.source.whenReleased(() => {
      this.waiter.wake();
    });
  }

  close(): void {
    this.isClosed = true;
    for (const reader of this.readers) reader.close();
    this.waiter.wake();
  }

  /** Counts one report, once there is room for its dead letters. */
  async add(progress: FoldProgress): Promise<void> {
    const { source } = this.scopes;
    while (source.isHeldBack && !this.isClosed) await this.waiter.wait();
    if (!this.isClosed) this.count(progress);
  }

  private count({ rows, skipped, bad, unfolded }: FoldProgress): void {
    const { source, scope } = this.scopes;
    const nowMs = scope.clock.monotonicMs();
    let ended = bad.length;
    source.account.in += rows;
    for (const [reason, count] of Object.entries(skipped)) {
      source.account.countSkip(reason, count);
      ended += count;
    }
    for (const record of bad) source.giveUp(failureOf(record));
    source.account.out += rows - ended;
    scope.account.in += rows - ended;
    const [edge] = scope.inputs;
    for (const record of unfolded) scope.giveUp({ ...failureOf(record), takenFrom: edge?.root });
    source.account.touch(nowMs);
    scope.account.touch(nowMs);
    // These records do not travel through the graph, so each leaves the root as soon as it has entered it.
    for (let left = rows; left > 0 && edge !== undefined;) {
      const count = Math.min(left, edge.root.room);
      const first = edge.root.birth(count);
      edge.root.leave(
        edge.exit,
        Array.from({ length: count }, (_, i) => first + i),
      );
      left -= count;
    }
  }
}

function failureOf({ number, input, code, message }: BadRecord): {
  lineage: number;
  record: unknown;
  error: Error;
  attempts: 1;
} {
  return { lineage: number, record: input, error: Object.assign(new Error(message), { code }), attempts: 1 };
}
