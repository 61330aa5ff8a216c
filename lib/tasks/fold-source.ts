/**
 * Runs the parts of a source in threads and puts together what they folded. The records never come here; their counts,
 * the ones that were given up, and the states of the keys do.
 *
 * Promises: every record of the source is born and leaves the source's root once, and both accounts balance at every
 * report; states are merged in the order of the parts, so the first appearance of a key decides its place, as if one
 * thread had read it all; threads wait while dead letters cannot be written; closing ends all parts.
 */
import type { ItemReader, ModuleRef } from '../core/executor.js';
import type { TaskScope } from '../core/ports.js';
import type { BadRecord, FoldProgress, FoldReport, FoldedStates } from './source-parts.js';

export interface SourceFold {
  /** The source, whose records are read; the task that aggregates them. */
  readonly source: TaskScope;
  readonly scope: TaskScope;
  readonly merge: (key: unknown, state: unknown) => void;
}

/** Starts the parts. `done` resolves when everything is merged; after `close` it resolves at once, with nothing more merged. */
export function foldSource(parts: readonly ModuleRef[], fold: SourceFold): { done: Promise<void>; close: () => void } {
  const run = new FoldRun(parts, fold);
  return {
    done: run.run(),
    close: () => {
      run.close();
    },
  };
}

class FoldRun {
  private readonly fold: SourceFold;
  private readonly readers: readonly ItemReader<unknown>[];
  private isClosed = false;
  /** Parts that wait for dead letters to be written. */
  private readonly held: (() => void)[] = [];

  constructor(parts: readonly ModuleRef[], fold: SourceFold) {
    this.fold = fold;
    this.readers = parts.map((ref) => fold.scope.executor.stream(ref));
    // Once: who listens is never forgotten.
    fold.source.whenReleased(() => {
      this.wake();
    });
  }

  async run(): Promise<void> {
    let before = Promise.resolve();
    const all = this.readers.map((reader) => {
      // A part's progress is taken as it comes; its states wait for those of the parts before it.
      before = this.drain(reader, before);
      return before;
    });
    try {
      await Promise.all(all);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.isClosed = true;
    for (const reader of this.readers) reader.close();
    this.wake();
  }

  private async drain(reader: ItemReader<unknown>, before: Promise<void>): Promise<void> {
    let mayMerge = false;
    for (let reports = await reader.read(); reports !== null; reports = await reader.read()) {
      for (const report of reports as readonly FoldReport[]) {
        if (!('states' in report)) {
          await this.released();
          if (!this.isClosed) this.count(report);
        } else {
          if (!mayMerge) await before;
          mayMerge = true;
          // What threads hand over may be thousands of states at once.
          if (this.fold.scope.turn.isLong()) await this.fold.scope.turn.pause();
          if (!this.isClosed) this.merge(report);
        }
      }
    }
    await before;
  }

  private count({ rows, skipped, bad, unfolded }: FoldProgress): void {
    const { source, scope } = this.fold;
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
    // No record of these is anywhere any more: each passes its one exit at its birth.
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

  private merge({ states }: FoldedStates): void {
    for (const [key, state] of states) this.fold.merge(key, state);
  }

  /** While dead letters cannot be written fast enough, nothing more is taken. */
  private async released(): Promise<void> {
    const { source } = this.fold;
    while (source.isHeldBack && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.held.push(resolve);
      });
    }
  }

  private wake(): void {
    for (const resume of this.held.splice(0)) resume();
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
