/**
 * Takes the checkpoints of a run.
 *
 * At one moment between two turns of the event loop, when no batch is on its way through synchronous tasks, the progress
 * of every root is copied and every durable part fixes how far it has come. Only when all of that would survive the loss
 * of power is the checkpoint written. What passed an exit before that moment is therefore on the disk, and what is not
 * counts as not done.
 *
 * After a checkpoint has been written, the tasks that write are called with their marks (a transaction is committed), and
 * after all of them the sources, with what has settled (a message is acknowledged).
 *
 * Promises: nothing is committed or acknowledged that is not in a durable checkpoint; at most one checkpoint is under way,
 * and what follows it counts as part of it; at most about 2 % of the time goes into them; a checkpoint that cannot
 * be written stops the run with everything up to the last one intact.
 */
import {
  CHECKPOINT_FORMAT,
  type Checkpoint,
  type CheckpointStore,
  type Json,
  type RootProgress,
  type RunDefinition,
  settledOf,
} from '../../model/checkpoint.js';
import { MillraceError, describeThrown } from '../../model/errors.js';
import type { RootLedger } from '../../ledger/ledger.js';
import type { Clock, DeadLetterStore } from '../../model/ports.js';
import { blame } from '../wiring/task-failure.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';

/** When to take one; whichever comes first. */
export interface CheckpointSchedule {
  /** Milliseconds since the last one. Default 1,000. */
  readonly everyMs?: number;
  /** Records settled since the last one. Default 10,000. */
  readonly everyRecords?: number;
}

/** What stays the same from checkpoint to checkpoint. */
export interface CheckpointHead {
  readonly runId: string;
  readonly incarnation: number;
  readonly startedAt: number;
  readonly seed: number;
  readonly definition: RunDefinition;
  readonly inputs: Readonly<Record<string, Json>>;
}

export interface CheckpointerParts {
  readonly store: CheckpointStore;
  readonly schedule: CheckpointSchedule;
  readonly wiring: Wiring;
  readonly deadLetters: DeadLetterStore;
  readonly clock: Clock;
  /** The progress of a root over all lives of the run. */
  readonly progressOf: (name: string, root: RootLedger) => RootProgress;
  /** The labels of all exits of a root. */
  readonly exitsOf: (root: string) => readonly string[];
  readonly onTaken: (taken: TakenCheckpoint) => void;
  readonly fail: (error: unknown) => void;
}

export interface TakenCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Lineages settled in this life. */
  readonly settled: number;
  readonly elapsedMs: number;
}

/** How often to look whether one is due. */
const LOOK_EVERY_MS = 100;
/** After one that took long, this many times as long is worked before the next for the records' sake. */
const WORK_PER_COST = 50;
/** While nothing settles, checkpoints are this much rarer. */
const IDLE_FACTOR = 10;

export class Checkpointer {
  private readonly parts: CheckpointerParts;
  private head: CheckpointHead | undefined;
  private obstacle: string | undefined;
  private cancel: (() => void) | undefined;
  private underWay: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;
  private isStopped = false;
  private lastAtMs = 0;
  private lastCostMs = 0;
  private lastSettled = 0;

  constructor(parts: CheckpointerParts) {
    this.parts = parts;
  }

  /** Writes the first checkpoint of this life and takes one whenever it is due. */
  async begin(head: CheckpointHead): Promise<void> {
    this.head = head;
    await this.take();
    this.lookAgain();
  }

  /** No more checkpoints, but one that says why. */
  forbid(obstacle: string): void {
    if (this.obstacle !== undefined) return;
    this.obstacle = obstacle;
    void this.take().catch(this.parts.fail);
  }

  /** The last checkpoint of a run that ends well. */
  async finish(isComplete: boolean): Promise<void> {
    await this.stop();
    // What was prepared for a checkpoint that failed is in no later one.
    if (this.failure !== undefined) throw this.failure.error;
    if (this.head !== undefined) await this.take(isComplete);
  }

  /** Takes no more; resolves when the one under way is over, however it ends. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancel?.();
    await this.underWay?.catch(() => undefined);
  }

  private lookAgain(): void {
    if (this.isStopped) return;
    this.cancel = this.parts.clock.schedule(LOOK_EVERY_MS, () => {
      if (!this.isDue()) {
        this.lookAgain();
        return;
      }
      this.take().then(() => {
        this.lookAgain();
      }, this.parts.fail);
    });
  }

  private isDue(): boolean {
    if (this.obstacle !== undefined) return false;
    const { everyMs = 1000, everyRecords = 10_000 } = this.parts.schedule;
    const elapsedMs = this.parts.clock.monotonicMs() - this.lastAtMs;
    const settled = this.settled() - this.lastSettled;
    if (settled === 0 && elapsedMs < everyMs * IDLE_FACTOR) return false;
    if (elapsedMs >= everyMs) return true;
    return settled >= everyRecords && elapsedMs >= this.lastCostMs * WORK_PER_COST;
  }

  private take(isComplete = false): Promise<void> {
    this.underWay = this.write(isComplete)
      .catch((error: unknown) => {
        this.failure ??= { error };
        throw error;
      })
      .finally(() => {
        this.underWay = undefined;
      });
    return this.underWay;
  }

  private async write(isComplete: boolean): Promise<void> {
    const { wiring, clock, deadLetters, store, progressOf, onTaken } = this.parts;
    const startedAtMs = clock.monotonicMs();
    const pauses = [...wiring.tasks.values()].map(({ declaration, scope }) => declaration.task.pause(scope));
    if (pauses.some((pause) => pause !== undefined)) await Promise.all(pauses.map((pause) => Promise.resolve(pause)));
    // From here to the first await everything is of one moment.
    const settled = this.settled();
    const roots = Object.fromEntries([...wiring.roots].map(([name, root]) => [name, progressOf(name, root)]));
    const marking = [...wiring.tasks].map(
      async ([name, { declaration, scope }]) => [name, await declaration.task.mark(scope)] as const,
    );
    const lettersMark = deadLetters.durable?.mark();
    // Each is waited for, also where another has failed: nothing of it may outlive the run.
    const marked = Promise.allSettled([lettersMark, ...marking]);
    const head = this.head as CheckpointHead;
    const at = clock.now();
    let durable: Checkpoint;
    try {
      await marked;
      const letters = (await lettersMark) ?? null;
      const marks = await Promise.all(marking);
      const checkpoint: Checkpoint = {
        format: CHECKPOINT_FORMAT,
        ...head,
        at,
        roots,
        marks: Object.fromEntries(marks.filter(([, mark]) => mark !== undefined)) as Record<string, Json>,
        deadLetters: letters,
        ...(this.obstacle === undefined ? {} : { obstacle: this.obstacle }),
        isComplete,
      };
      await store.write(checkpoint);
      this.lastAtMs = clock.monotonicMs();
      this.lastCostMs = this.lastAtMs - startedAtMs;
      this.lastSettled = settled;
      onTaken({ checkpoint, settled, elapsedMs: this.lastCostMs });
      durable = checkpoint;
    } catch (error) {
      throw explain(error);
    }
    await this.follow(durable);
  }

  /** Reports a durable checkpoint: first to the tasks that write, together, then to the sources. */
  private async follow({ marks, roots }: Checkpoint): Promise<void> {
    const { wiring, exitsOf } = this.parts;
    const tasks = [...wiring.tasks.values()];
    const isSource = ({ plan }: WiredTask): boolean => plan.node.bearing === 'source';
    for (const some of [tasks.filter((task) => !isSource(task)), tasks.filter(isSource)]) {
      const told = some.map(async ({ plan, declaration, scope }) => {
        const settled = settledOf(roots[plan.outputRoot] as RootProgress, exitsOf(plan.outputRoot));
        try {
          await declaration.task.checkpointed({ mark: marks[plan.node.name], settled }, scope);
        } catch (error) {
          throw blame(plan.node.name, 'could not follow a checkpoint', error);
        }
      });
      // Each is waited for, also where another has failed: nothing of it may outlive the run.
      await Promise.allSettled(told);
      await Promise.all(told);
    }
  }

  private settled(): number {
    let settled = 0;
    for (const root of this.parts.wiring.roots.values()) settled += root.settled;
    return settled;
  }
}

function explain(error: unknown): unknown {
  if (error instanceof MillraceError && (error.code === 'MILLRACE_LOCKED' || error.code === 'MILLRACE_FILE'))
    return error;
  return new MillraceError(
    'MILLRACE_FILE',
    `Cannot write a checkpoint: ${describeThrown(error)}. The run stops, and can be resumed from the one before`,
    { cause: error },
  );
}
