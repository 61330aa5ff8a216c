/**
 * Writes the checkpoints of a run.
 *
 * Between two turns of the event loop, when no batch is inside synchronous tasks, the checkpointer copies the progress
 * of every root, and every durable task records its position. It writes the checkpoint only when all of these positions
 * would survive a loss of power. So every record that passed an exit before that moment is on the disk, and every other
 * record counts as not done.
 *
 * After a checkpoint is durable, the tasks that write are called with their positions (for example to commit a
 * transaction), and then the sources with the records that have settled (for example to acknowledge messages).
 *
 * A crash repeats the calls in flight and those that have ended since the last checkpoint. So a checkpoint is due as
 * soon as half a window of calls of one task has ended.
 *
 * Guarantees: only what is in a durable checkpoint is committed or acknowledged; at most one checkpoint is in progress,
 * its commits included; checkpoints hold up the run for at most about 2 % of the time, or 5 % with much state; if a
 * checkpoint cannot be written, the run stops and the last checkpoint stays valid.
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
import type { StateKeeper } from './state-keeper.js';
import { entry } from '../../text/entry.js';

/**
 * When a checkpoint is due: after the time, the number of records, or half a window of calls of one task, whichever
 * comes first.
 */
export interface CheckpointSchedule {
  /** Milliseconds since the last one. Default 1,000. */
  readonly everyMs?: number;
  /** Records settled since the last one. Default 10,000. */
  readonly everyRecords?: number;
}

/** The part of a checkpoint that stays the same for one incarnation. */
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
  readonly state: StateKeeper;
  /** Boundaries whose outputs depend on more than their input. */
  readonly uncertain: ReadonlySet<string>;
  /** The progress of a root over all incarnations of the run. */
  readonly progressOf: (name: string, root: RootLedger) => RootProgress;
  /** The labels of all exits of a root. */
  readonly exitsOf: (root: string) => readonly string[];
  /** The checkpoint that the run resumed from. */
  readonly from: Checkpoint | undefined;
  readonly onWritten: (written: WrittenCheckpoint) => void;
  readonly fail: (error: unknown) => void;
}

export interface WrittenCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Lineages settled in this incarnation. */
  readonly settled: number;
  readonly elapsedMs: number;
}

/** The interval of the checks whether a checkpoint is due. */
const LOOK_EVERY_MS = 20;
/**
 * A checkpoint that is due by records waits until the run has worked for this many times the cost of the last one. A
 * checkpoint that is due by calls waits for this many times the duration of copying the state.
 */
const WORK_PER_COST = 50;
/**
 * A checkpoint that is due by time waits for this many times the duration of copying the state, so with much state,
 * checkpoints take at most 5 % of the time.
 */
const TIME_PER_COST = 20;
/** A checkpoint that is due by calls also waits for this many times the cost of the last one. */
const CALLS_PER_COST = 4;
/** While nothing settles, the interval of checkpoints is this many times as long. */
const IDLE_FACTOR = 10;

/** The occasion of a checkpoint. */
interface CheckpointKind {
  /** True for the last checkpoint of a run that ends well: its operators have ended. */
  readonly isLast: boolean;
  /** True if the run has completed. */
  readonly isComplete: boolean;
  /** True if the tasks that are open have completed, and are closed next: their positions do not change any more. */
  readonly isOfPhase?: boolean;
}

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
  /** The time for which the last checkpoint stopped the run to copy its state. */
  private lastStateMs = 0;
  private lastSettled = 0;
  /** The tasks that make calls, and how many of their records had ended at the last checkpoint. */
  private readonly callers: readonly WiredTask[];
  private lastCalls: readonly number[] = [];
  /** The positions in the last checkpoint. Those of tasks that are not open stay valid. */
  private positions: Checkpoint['positions'];
  private ended: NonNullable<Checkpoint['ended']>;

  constructor(parts: CheckpointerParts) {
    this.parts = parts;
    this.callers = [...parts.wiring.tasks.values()].filter(({ declaration }) => declaration.task.makesCalls === true);
    this.positions = parts.from?.positions ?? {};
    this.ended = parts.from?.ended ?? {};
  }

  /** Writes the first checkpoint of this incarnation, and then one whenever it is due. */
  async begin(head: CheckpointHead): Promise<void> {
    this.head = head;
    await this.makeCheckpoint();
    this.lookAgain();
  }

  /** Writes one last checkpoint, which contains the reason, and no more after it. */
  forbid(obstacle: string): void {
    if (this.obstacle !== undefined) return;
    // Also the last checkpoint of a run that ends must contain the reason.
    this.obstacle = obstacle;
    if (this.isStopped) return;
    void this.makeCheckpoint().catch(this.parts.fail);
  }

  /**
   * Writes one more checkpoint of a run that is about to fail. Does nothing if the run cannot be resumed or has ended.
   */
  async writeNow(): Promise<void> {
    if (this.isStopped || this.obstacle !== undefined) return;
    await this.makeCheckpoint();
  }

  /** Writes a checkpoint at the end of a phase. After it, the tasks that were open count as closed. */
  async endPhase(): Promise<void> {
    if (!this.isStopped) await this.makeCheckpoint({ isLast: false, isComplete: false, isOfPhase: true });
  }

  /** Records that the results of these tasks are in place. Resolves when that is durable. */
  async phaseEnded(ended: NonNullable<Checkpoint['ended']>): Promise<void> {
    this.ended = { ...this.ended, ...ended };
    await this.writeNow();
  }

  /** The inputs of the sources of the next phase, for the checkpoints from here on. */
  addInputs(inputs: CheckpointHead['inputs']): void {
    if (this.head !== undefined) this.head = { ...this.head, inputs: { ...this.head.inputs, ...inputs } };
  }

  /** Writes the last checkpoint of a run that has not failed. */
  async finish(isComplete: boolean): Promise<void> {
    await this.stop();
    // No later checkpoint contains the rows that were prepared for a failed one.
    if (this.failure !== undefined) throw this.failure.error;
    if (this.head !== undefined) await this.makeCheckpoint({ isLast: true, isComplete });
  }

  /** Stops the checkpoints. Resolves when the one in progress has ended, also if it fails. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancel?.();
    await this.underWay?.catch(() => undefined);
  }

  private lookAgain(): void {
    if (this.isStopped) return;
    this.cancel = this.parts.clock.schedule(LOOK_EVERY_MS, () => {
      // Nothing is stored any more, so the changes for the next checkpoint must not pile up.
      if (this.obstacle !== undefined) this.parts.state.discard();
      if (!this.isDue()) {
        this.lookAgain();
        return;
      }
      this.makeCheckpoint().then(() => {
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
    if (elapsedMs >= Math.max(everyMs, this.lastStateMs * TIME_PER_COST)) return true;
    if (settled >= everyRecords && elapsedMs >= this.lastCostMs * WORK_PER_COST) return true;
    const leastMs = Math.max(this.lastCostMs * CALLS_PER_COST, this.lastStateMs * WORK_PER_COST);
    return elapsedMs >= leastMs && this.areCallsDue();
  }

  /** True from the moment a checkpoint begins until its commits have ended. */
  get isInProgress(): boolean {
    return this.underWay !== undefined;
  }

  /** Makes a checkpoint, after the one in progress, if there is one. */
  private makeCheckpoint(which: CheckpointKind = { isLast: false, isComplete: false }): Promise<void> {
    const before = this.underWay;
    const written =
      before === undefined ? this.write(which) : before.catch(() => undefined).then(() => this.write(which));
    const own = written
      .catch((error: unknown) => {
        this.failure ??= { error };
        throw error;
      })
      .finally(() => {
        if (this.underWay === own) this.underWay = undefined;
      });
    this.underWay = own;
    return own;
  }

  private async write({ isLast, isComplete, isOfPhase = false }: CheckpointKind): Promise<void> {
    const { wiring, clock, deadLetters, store, state, progressOf, onWritten } = this.parts;
    const startedAtMs = clock.monotonicMs();
    const opened = [...wiring.tasks].filter(([name]) => wiring.opened.has(name));
    const pauses = opened.map(([, { declaration, scope }]) => declaration.task.pause(scope));
    if (pauses.some((pause) => pause !== undefined)) await Promise.all(pauses.map((pause) => Promise.resolve(pause)));
    // The run was stopped during a write. The rows of that write are in no output, so no checkpoint may commit them.
    if (this.isStopped && !isLast) return;
    // No await until all positions are read: they must belong to one moment.
    const settled = this.settled();
    const calls = this.callers.map(endedIn);
    const roots = state.progressWith(
      Object.fromEntries([...wiring.roots].map(([name, root]) => [name, progressOf(name, root)])),
    );
    const collectedAtMs = clock.monotonicMs();
    const collecting = state.collect();
    this.lastStateMs = clock.monotonicMs() - collectedAtMs;
    const uncertain = [...this.parts.uncertain];
    const persisting = opened.map(async ([name, { declaration, scope }]) => {
      try {
        return [name, await declaration.task.persist(scope)] as const;
      } catch (error) {
        throw blame(name, 'could not prepare a checkpoint', error);
      }
    });
    const persistingLetters = deadLetters.durable?.persist();
    const openNames = new Set(opened.map(([name]) => name));
    const closed = Object.fromEntries(Object.entries(this.positions).filter(([name]) => !openNames.has(name)));
    // Waits for all of them, also if one has failed: no write may outlive the run.
    const persisted = Promise.allSettled([persistingLetters, collecting, ...persisting]);
    const head = this.head as CheckpointHead;
    const at = clock.now();
    let durable: Checkpoint;
    try {
      await persisted;
      const letters = (await persistingLetters) ?? null;
      const entries = await Promise.all(persisting);
      const position = await collecting;
      const checkpoint: Checkpoint = {
        format: CHECKPOINT_FORMAT,
        ...head,
        at,
        roots,
        positions: {
          ...closed,
          ...(Object.fromEntries(entries.filter(([, at]) => at !== undefined)) as Record<string, Json>),
        },
        deadLetters: letters,
        ...(position === undefined ? {} : { state: position }),
        ...(uncertain.length === 0 ? {} : { uncertain }),
        ...(this.obstacle === undefined ? {} : { obstacle: this.obstacle }),
        ...(Object.keys(this.ended).length === 0 ? {} : { ended: this.ended }),
        isComplete,
      };
      await store.write(checkpoint);
      this.lastAtMs = clock.monotonicMs();
      this.lastCostMs = this.lastAtMs - startedAtMs;
      this.lastSettled = settled;
      this.lastCalls = calls;
      onWritten({ checkpoint, settled, elapsedMs: this.lastCostMs });
      await state.checkpointed(position);
      durable = checkpoint;
    } catch (error) {
      throw explain(error);
    }
    this.positions = durable.positions;
    await this.follow(durable);
    if (isOfPhase) for (const [name] of opened) wiring.opened.delete(name);
    // Slow commits count as well, or a sink would do nothing else.
    this.lastAtMs = clock.monotonicMs();
    this.lastCostMs = this.lastAtMs - startedAtMs;
  }

  /** Reports a durable checkpoint: first to the tasks that write, together, then to the sources. */
  private async follow({ positions, roots }: Checkpoint): Promise<void> {
    const { wiring, exitsOf } = this.parts;
    const tasks = [...wiring.tasks.values()].filter(({ plan }) => wiring.opened.has(plan.node.name));
    const isSource = ({ plan }: WiredTask): boolean => plan.node.bearing === 'source';
    for (const some of [tasks.filter((task) => !isSource(task)), tasks.filter(isSource)]) {
      const notified = some.map(async ({ plan, declaration, scope }) => {
        const settled = settledOf(entry(roots, plan.outputRoot) as RootProgress, exitsOf(plan.outputRoot));
        try {
          await declaration.task.checkpointed({ position: entry(positions, plan.node.name), settled }, scope);
        } catch (error) {
          throw blame(plan.node.name, 'could not follow a checkpoint', error);
        }
      });
      // Waits for all of them, also if one has failed: no write may outlive the run.
      await Promise.allSettled(notified);
      await Promise.all(notified);
    }
  }

  private areCallsDue(): boolean {
    return this.callers.some(
      (task, index) => 2 * (endedIn(task) - (this.lastCalls[index] ?? 0)) >= task.scope.root.window,
    );
  }

  private settled(): number {
    let settled = 0;
    for (const root of this.parts.wiring.roots.values()) settled += root.settled;
    return settled;
  }
}

/** The records that have left a task. */
function endedIn({ scope: { account } }: WiredTask): number {
  return account.out + account.skipped + account.deadLettered;
}

function explain(error: unknown): unknown {
  // It names the task or the file.
  if (error instanceof MillraceError) return error;
  return new MillraceError(
    'MILLRACE_FILE',
    `Cannot write a checkpoint: ${describeThrown(error)}. The run stops, and can be resumed from the previous checkpoint`,
    { cause: error },
  );
}
