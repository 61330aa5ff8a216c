/**
 * Stores the progress of a run so that it can be resumed, and restores the progress of a resumed run.
 *
 * Guarantees: if an input differs from the input of the checkpoint, the run is refused before anything is written; dead
 * letters of records that are processed again are removed before the first record is read.
 */
import type { Checkpoint, Json } from '../../model/checkpoint.js';
import type { RunEvent } from '../../model/events.js';
import { Checkpointer } from './checkpointer.js';
import { ResumePlan } from './resume-plan.js';
import { redoing, RunPast } from './run-past.js';
import { assertSameInputs } from './same-inputs.js';
import { StateKeeper } from './state-keeper.js';
import type { KeptProgress, RunParts } from '../run/run-parts.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';
import { entry, setEntry } from '../../text/entry.js';

export interface ProgressHandlers {
  readonly emit: (event: RunEvent) => void;
  readonly notice: (message: string) => void;
  readonly fail: (error: unknown) => void;
  /** Whether the run has ended. Then nothing more is restored or written. */
  readonly hasEnded: () => boolean;
}

export class ProgressKeeper {
  /** The work of earlier incarnations, if the run is resumed. */
  readonly past: RunPast | undefined;
  /** The durable state of the boundaries. */
  readonly state: StateKeeper;
  /** False in a resumed run until its dead letters are those of its checkpoint. */
  isRestored: boolean;
  private readonly kept: KeptProgress;
  private readonly parts: RunParts;
  private readonly handlers: ProgressHandlers;
  private checkpointer: Checkpointer | undefined;
  /** The first reason why the run cannot be resumed. */
  private obstacle: string | undefined;
  /** Boundaries whose outputs depend on more than their input. */
  private readonly uncertain: Set<string>;

  constructor(given: KeptProgress, parts: RunParts, handlers: ProgressHandlers) {
    const kept = given.from && given.redo ? { ...given, from: redoing(given.from, given.redo, given.plan) } : given;
    this.kept = kept;
    this.parts = parts;
    this.handlers = handlers;
    const { plan, from, store } = kept;
    this.state = new StateKeeper({
      store: store.state,
      cannotResume: (reason) => {
        this.cannotResume(reason);
      },
    });
    this.uncertain = new Set(from?.uncertain);
    if (from !== undefined) this.past = new RunPast(plan, from, store.incarnation);
    this.isRestored = from === undefined;
  }

  /**
   * The identities of the inputs of these tasks. Throws if they differ from the identities in the checkpoint. The
   * checkpoint has none for sources of a phase that no incarnation has begun. After this call, the identities of a
   * later phase are in each checkpoint.
   */
  async checkInputs(tasks: Iterable<WiredTask>): Promise<Record<string, Json>> {
    const inputs: Record<string, Json> = {};
    for (const { plan, declaration } of tasks) {
      if (plan.node.bearing === 'source') setEntry(inputs, plan.node.name, await declaration.task.identify());
    }
    const { from } = this.kept;
    if (from !== undefined) {
      const known = Object.entries(inputs).filter(
        ([name]) => entry(from.inputs, name) !== undefined || !this.isLater(name),
      );
      assertSameInputs(from, Object.fromEntries(known));
    }
    this.checkpointer?.addInputs(inputs);
    return inputs;
  }

  /** Whether the task is in a later phase than the first one. */
  private isLater(name: string): boolean {
    const [first] = this.parts.plan.phases;
    return first?.parts.some(({ tasks }) => tasks.includes(name)) === false;
  }

  /** Writes a checkpoint at the end of a phase. After it, the tasks that were open count as closed. */
  async endPhase(): Promise<void> {
    await this.checkpointer?.endPhase();
  }

  /** Records that the results of these tasks are in place. Resolves when that is durable. */
  async phaseEnded(ended: NonNullable<Checkpoint['ended']>): Promise<void> {
    await this.checkpointer?.phaseEnded(ended);
  }

  /** Starts the checkpoints. From here on, a run that dies can be resumed. */
  async begin(wiring: Wiring, inputs: Readonly<Record<string, Json>>): Promise<void> {
    const { runId, deadLetters, seed, startedAt, clock } = this.parts;
    const { from, store, definition, plan } = this.kept;
    const { incarnation } = store;
    const head = { runId, incarnation, startedAt, seed, definition, inputs: { ...from?.inputs, ...inputs } };
    if (from !== undefined && this.past !== undefined) {
      await this.state.restore(from.state);
      const letters = (await deadLetters.durable?.rewind(from.deadLetters, this.past.keeps, runId)) ?? null;
      if (this.handlers.hasEnded()) return;
      await store.write({ ...from, ...head, at: clock.now(), deadLetters: letters });
      await deadLetters.durable?.commit();
      this.isRestored = true;
      this.handlers.emit({ type: 'resumed', at: clock.now(), incarnation, from: from.at });
    }
    if (this.handlers.hasEnded()) return;
    this.checkpointer = this.checkpointerOf(wiring);
    await this.checkpointer.begin(head);
    if (this.obstacle !== undefined) this.checkpointer.forbid(this.obstacle);
    if (plan.obstacle !== undefined) this.cannotResume(plan.obstacle);
  }

  cannotResume(reason: string): void {
    this.handlers.notice(`If this run dies it cannot be resumed: ${reason}`);
    // Tasks open before the first checkpoint: the reason is kept for it.
    this.obstacle ??= reason;
    this.checkpointer?.forbid(reason);
  }

  /** A resumed run repeats the work behind this boundary. */
  cannotRepeat(task: string): void {
    if (this.uncertain.has(task)) return;
    this.uncertain.add(task);
    const { plan, declarations } = this.parts;
    const { obstacle } = new ResumePlan(plan, declarations, this.kept.store.state !== undefined, {
      uncertain: [...this.uncertain],
    });
    if (obstacle !== undefined) this.cannotResume(obstacle);
  }

  /** The tasks that earlier incarnations have completed, with their counts. */
  get endedBefore(): Checkpoint['ended'] {
    return this.kept.from?.ended;
  }

  /** The tasks of which the checkpoint has progress. */
  get begunBefore(): ReadonlySet<string> {
    const { from, plan } = this.kept;
    const hasBegun = (root: string): boolean => (entry(from?.roots ?? {}, root)?.born ?? 0) > 0;
    const tasks = this.parts.plan.nodes.map(({ node }) => node.name);
    return new Set(tasks.filter((task) => plan.rootsOf(task).some(hasBegun)));
  }

  /** True if the run has a checkpoint that it can resume from. */
  get canResume(): boolean {
    return this.checkpointer !== undefined && this.obstacle === undefined;
  }

  /** True while a checkpoint, its commits included, is in progress. */
  get isCheckpointing(): boolean {
    return this.checkpointer?.isInProgress === true;
  }

  /** Writes one more checkpoint of a run that is about to fail. */
  async writeNow(): Promise<void> {
    await this.checkpointer?.writeNow();
  }

  /** Stops the checkpoints. Resolves when the one in progress has ended. */
  async stop(): Promise<void> {
    await this.checkpointer?.stop();
  }

  /** Releases the store of the state, after the last checkpoint. */
  async close(): Promise<void> {
    await this.state.close();
  }

  /** Writes the last checkpoint of a run that has not failed. */
  async finish(isComplete: boolean): Promise<void> {
    await this.checkpointer?.finish(isComplete);
  }

  private checkpointerOf(wiring: Wiring): Checkpointer {
    const { store, schedule, plan } = this.kept;
    const { deadLetters, clock } = this.parts;
    return new Checkpointer({
      store,
      schedule,
      wiring,
      deadLetters,
      clock,
      state: this.state,
      uncertain: this.uncertain,
      progressOf: (name, root) => this.past?.progressOf(name, root.progress()) ?? root.progress(),
      exitsOf: (root) => plan.labelsOf(root),
      from: this.kept.from,
      onWritten: ({ checkpoint, settled, elapsedMs }) => {
        const watermarks = Object.entries(checkpoint.roots).map(([root, { watermark }]) => [root, watermark]);
        const progress = { watermarks: Object.fromEntries(watermarks) as Record<string, number>, settled, elapsedMs };
        this.handlers.emit({ type: 'checkpoint', at: checkpoint.at, ...progress });
      },
      fail: this.handlers.fail,
    });
  }
}
