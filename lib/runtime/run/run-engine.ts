/**
 * The engine of one run: it opens the tasks, connects them, watches them, and ends the run exactly once. `Run` loads
 * this module when a run starts, so that defining a workflow loads no engine.
 *
 * Guarantees: it ends exactly once; when it reports the end, no timer, subscription, file, socket or thread of the run
 * is left.
 */
import { countsOf } from '../../ledger/account.js';
import { systemClock } from '../../model/clock.js';
import type { TaskCounts } from '../../model/metrics.js';
import { codeOf, describeThrown, MillraceError } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import type { ExecutorStats } from '../../model/thread-stats.js';
import type { RunOutcome } from '../../model/ports.js';
import { seededRandom } from '../../execution/random.js';
import { Turn } from '../../ledger/turn.js';
import { Aftermath } from './aftermath.js';
import { attempt, closeAll } from './closing.js';
import { maskEvent } from './mask-event.js';
import { Draining, type DrainOptions } from './draining.js';
import { Opening } from './opening.js';
import { PendingWork } from './pending-work.js';
import { PresentPhase } from './present-phase.js';
import { ProgressKeeper } from '../resume/progress-keeper.js';
import { RunExecutor } from './run-executor.js';
import type { RunFace } from './run-face.js';
import type { KeptProgress, RunParts } from './run-parts.js';
import { RunReport } from './run-report.js';
import { PhaseOrder } from './phase-order.js';
import type { RunServices } from '../wiring/services.js';
import { FirstMeasurements } from '../watch/first-measurements.js';
import { Watchdog } from '../watch/watchdog.js';
import { Wiring } from '../wiring/wiring.js';
import type { EventStream } from './event-stream.js';
import { Secrets } from '../../text/secrets.js';

/** The most milliseconds for the last checkpoint of a run that fails, because a write of a sink may never end. */
const LAST_CHECKPOINT_MS = 5_000;

/** The most names of tasks in a notice. */
const MOST_NAMES = 8;

export class RunEngine {
  private readonly parts: RunParts;
  private readonly executor: RunExecutor;
  private readonly wiring: Wiring;
  private readonly report: RunReport;
  private readonly watchdog: Watchdog;
  private readonly firstMeasurements: FirstMeasurements;
  private readonly keeper: ProgressKeeper | undefined;
  private readonly events: EventStream;
  private readonly secrets: Secrets;
  private readonly onEnd: RunFace['onEnd'];
  private readonly abort = new AbortController();
  private readonly pendingWork = new PendingWork((error) => {
    if (this.aftermath !== undefined || this.failLate === undefined) this.fail(error);
    else this.failLate(error);
  });
  private readonly order: PhaseOrder;
  private readonly phase: PresentPhase;
  /** Set while one phase is ended and the next one begun. Never rejects. */
  private advancing: Promise<void> | undefined;
  private isOver = false;
  /** Set when tasks run after the end of the run. */
  private aftermath: Aftermath | undefined;
  /** True if nothing may begin after the end of the run. */
  private skipsAftermath = false;
  private readonly opening = new Opening();
  private outcome: RunOutcome | undefined;
  private failure: unknown;
  private isDraining = false;
  /** Set when the run drains. */
  private draining: Draining | undefined;
  /** True if the run has ended with records that it had not started. */
  private hasLetGo = false;
  /** Set from the failure of a task until the run ends, while one more checkpoint is written. */
  private failing: { readonly error: unknown } | undefined;
  private hasStarted = false;
  /** True if another process has taken over the run: then nothing more is written. */
  private isReplaced = false;
  /** Set while the run is ending: a failure then still changes the outcome. */
  private failLate: ((error: unknown) => void) | undefined;

  constructor(parts: RunParts, { events, outlets, onEnd }: RunFace) {
    this.parts = parts;
    this.events = events;
    this.onEnd = onEnd;
    const secrets = (this.secrets = parts.secrets ?? new Secrets());
    secrets.addConfig(parts.config);
    secrets.keep([parts.runId, parts.workflow, ...parts.plan.nodes.map(({ node }) => node.name)]);
    events.mask = (event) => maskEvent(event, secrets);
    const { progress } = parts;
    const turn = new Turn(parts.clock);
    this.executor = new RunExecutor(parts.threads, parts.threadLimits, turn, (type, thread) => {
      this.emit({ type, at: parts.clock.now(), thread });
    });
    const services = this.services(turn);
    if (progress !== undefined) this.keeper = this.keeperOf(progress, services);
    this.order = new PhaseOrder(parts.plan, this.keeper?.endedBefore, this.keeper?.begunBefore);
    const declared = new Map(parts.declarations.map((declaration) => [declaration.name, declaration]));
    const { window, fusions } = parts;
    this.wiring = new Wiring(parts.plan, parts.declarations, services, {
      window,
      fused: [...fusions.hops, ...fusions.chains],
      isRepeatable: progress !== undefined,
      freezesRecords: parts.freezesRecords,
      past: this.keeper?.past,
      kept: this.keeper && progress && { keeper: this.keeper.state, plan: progress.plan },
      outlets,
      startOf: (task) => {
        const { prefix, startsWith } = declared.get(task) ?? {};
        return secrets.data(startsWith ?? this.order.startOf(task, prefix));
      },
    });
    this.phase = new PresentPhase({
      order: this.order,
      wiring: this.wiring,
      opening: this.opening,
      clock: parts.clock,
      secrets,
      emit: services.emit,
      counts: () => this.counts,
    });
    this.report = new RunReport(parts, this.wiring, services, this.executor, this.events, this.order);
    this.watchdog = new Watchdog(this.wiring, services, {
      onLook: () => {
        this.report.measure();
      },
      isCheckpointing: () => this.keeper?.isCheckpointing === true,
    });
    this.firstMeasurements = new FirstMeasurements(parts.clock, () => {
      this.report.measure();
    });
    const fail = (error: unknown): void => {
      this.fail(error);
    };
    parts.deadLetters.whenBroken(fail);
    progress?.store.whenLost?.((error) => {
      this.isReplaced = true;
      this.end('failed', error);
      this.endAftermath();
    });
  }

  /** The account of each task at this moment. */
  get counts(): Readonly<Record<string, TaskCounts>> {
    return Object.fromEntries([...this.wiring.tasks].map(([name, { scope }]) => [name, countsOf(scope.account)]));
  }

  /** The threads of this run at this moment, as plain data; after the end of the run, their state at its end. */
  get threads(): ExecutorStats {
    return this.executor.stats();
  }

  /** True while tasks run after the end of the run. */
  get isInAftermath(): boolean {
    return this.aftermath !== undefined && !this.isOver;
  }

  /**
   * Aborts the run: it reads, starts and writes nothing more. In a run that has ended already, ends the aftermath.
   */
  cancel(): void {
    if (this.hasEnded()) this.endAftermath();
    else this.end('cancelled');
  }

  private endAftermath(): void {
    this.skipsAftermath = true;
    this.aftermath?.cancel();
  }

  /** Stops the sources and lets the records in flight settle; see `Run.drain`. */
  drain({ graceMs = this.parts.graceMs }: DrainOptions = {}): void {
    if (this.outcome !== undefined || this.draining !== undefined) return;
    const { clock } = this.parts;
    this.draining = new Draining({
      graceMs,
      clock,
      wiring: this.wiring,
      letsGo: () => this.letsGo(),
      // Between two phases no task is running, but the run is not at rest.
      isHeldBack: () =>
        this.advancing !== undefined || this.keeper?.isCheckpointing === true || this.parts.deadLetters.isFull,
      onRest: () => {
        this.hasLetGo = true;
        this.end('drained');
      },
      onGraceOver: (reason) => {
        this.notice(reason);
        this.end('cancelled');
      },
    });
    this.emit({ type: 'draining', at: clock.now() });
    this.stopSources();
  }

  /** Ends the sources of the present phase, also before it is opened. */
  private stopSources(): void {
    this.isDraining ||= this.wiring.hasOpenSource || this.wiring.lastOperators.length > 0;
    this.wiring.stopSources();
  }

  /** Whether the run drains and can be resumed: then it starts no work on another record. */
  private letsGo(): boolean {
    return this.draining !== undefined && this.keeper?.canResume === true;
  }

  private notice(message: string): void {
    this.emit({ type: 'notice', at: this.parts.clock.now(), message });
  }

  /**
   * The tasks of the aftermath run again after the next incarnation, with another name for their records. Otherwise an
   * upstream or a table would treat the second alert as a duplicate of the first one.
   */
  private numberingOf(root: string): string {
    const { progress } = this.parts;
    if (this.aftermath === undefined || progress === undefined) return this.wiring.past?.numberingOf(root) ?? root;
    return `${root} (after incarnation ${progress.store.incarnation})`;
  }

  private services(turn: Turn): RunServices {
    const { clock } = this.parts;
    const signal = (): AbortSignal => this.aftermath?.signal ?? this.abort.signal;
    return {
      runId: this.parts.runId,
      numberingOf: (root) => this.numberingOf(root),
      clock,
      random: seededRandom(this.parts.seed),
      signal,
      turn,
      executor: () => this.executor.current,
      deadLetters: this.parts.deadLetters,
      upstream: this.parts.upstream,
      secrets: this.secrets,
      tracer: this.parts.tracer,
      isDraining: () => this.isDraining && this.aftermath === undefined,
      mayStart: () => this.aftermath !== undefined || (this.failing === undefined && !this.letsGo()),
      emit: (event) => {
        this.emit(event);
      },
      assertOwned: () => {
        this.parts.progress?.store.assertOwned?.();
      },
      cannotResume: (reason) => {
        if (this.aftermath === undefined) this.keeper?.cannotResume(this.secrets.message(reason));
      },
      cannotRepeat: (task) => {
        if (this.aftermath === undefined) this.keeper?.cannotRepeat(task);
      },
      fail: (error) => {
        this.fail(error);
      },
      failAfterCheckpoint: (error) => {
        if (this.aftermath === undefined) this.failAfterCheckpoint(error);
        else this.aftermath.fail(error);
      },
      track: (work) => {
        this.pendingWork.track(work);
      },
    };
  }

  /** Ends the run, or its aftermath, as failed. */
  fail(error: unknown): void {
    if (this.aftermath === undefined) this.end('failed', error);
    else this.aftermath.fail(error);
  }

  /** Opens and connects everything; a failure ends the run. */
  async start(): Promise<void> {
    if (this.outcome !== undefined) return;
    this.report.introduce();
    this.hasStarted = true;
    const ended = [...this.order.ends.keys()];
    if (ended.length > 0) this.notice(`Completed by an earlier incarnation: ${named(ended)}`);
    if (this.parts.signal?.aborted === true) {
      this.cancel();
      return;
    }
    const { executor, wiring, keeper, phase } = this;
    const { deadLetters, clock } = this.parts;
    try {
      const hasEnded = (): boolean => this.hasEnded();
      phase.begin(() => !hasEnded());
      // The run may drain before it has started.
      if (this.draining !== undefined) this.stopSources();
      const { tasks } = phase;
      if (!(await this.opening.open({ executor, wiring, tasks, keeper, deadLetters, clock, hasEnded }))) return;
    } catch (error) {
      this.end('failed', error);
      return;
    }
    this.watchdog.start();
    // In virtual time, which a test controls, the measurements of the watchdog are enough.
    if (clock === systemClock) this.firstMeasurements.start();
    this.runPhase();
  }

  /** Connects the tasks of the present phase, which are open. The next phase follows, or the end of the run. */
  private runPhase(): void {
    this.phase.announce();
    // A listener may have ended the run.
    if (this.hasEnded()) return;
    this.phase.connect(() => {
      if (this.hasEnded()) return;
      if (this.draining !== undefined || !this.order.hasNext) this.endPhases();
      else this.advancing = this.advance();
    });
  }

  /** Ends the run after a phase that has completed. */
  private endPhases(): void {
    const isPartial = this.isDraining || (this.draining !== undefined && this.order.hasNext);
    this.end(isPartial ? 'drained' : 'completed');
  }

  private async advance(): Promise<void> {
    try {
      const hasNext = await this.prepareNext();
      this.advancing = undefined;
      if (this.hasEnded()) return;
      if (hasNext) this.runPhase();
      else this.endPhases();
    } catch (error) {
      this.end('failed', error);
    }
  }

  /**
   * Puts the results of the present phase in place, and opens the next one. False if there is none, or if the run ends
   * meanwhile.
   */
  private async prepareNext(): Promise<boolean> {
    const { phase, order, keeper } = this;
    const mayBegin = (): boolean => !this.hasEnded() && this.draining === undefined;
    this.watchdog.assertOver();
    await this.disconnect();
    await (keeper === undefined ? this.parts.deadLetters.durable?.persist() : keeper.endPhase());
    if (this.hasEnded()) return false;
    await phase.close('completed');
    await keeper?.phaseEnded(order.endedNow());
    if (!phase.begin(mayBegin)) return false;
    await keeper?.checkInputs(phase.tasks);
    if (this.hasEnded()) return false;
    await phase.open(() => this.hasEnded());
    return !this.hasEnded();
  }

  /** Ends the work of the tasks. Resolves when none is left. */
  private async disconnect(): Promise<void> {
    this.wiring.disconnect();
    await this.opening.settled;
    await this.pendingWork.settled();
  }

  /** Runs the tasks of the aftermath. Their first failure becomes the failure of a run that has not failed. */
  private async runAfterwards(outcome: RunOutcome, fail: (error: unknown) => void): Promise<void> {
    await attempt(() => this.phase.close(outcome, this.failure), fail);
    // Before the dead letters are restored, new ones would take the place of those that the checkpoint relies on.
    if (this.skipsAftermath || this.keeper?.isRestored === false) return;
    this.aftermath = new Aftermath({
      phase: this.phase,
      outcome,
      assertOver: () => {
        this.watchdog.assertOver();
      },
      disconnect: async () => {
        await this.disconnect();
        // Another process owns the file of the letters then.
        if (!this.isReplaced) await this.parts.deadLetters.durable?.persist();
      },
    });
    this.watchdog.start();
    const failures = await this.aftermath.run();
    this.watchdog.stop();
    this.report.measure();
    this.report.rest();
    for (const error of failures) {
      if (this.failure !== undefined)
        this.notice(`After the end of the run: ${this.secrets.message(describeThrown(error))}`);
      fail(error);
    }
  }

  /**
   * Ends the run as failed after one more checkpoint, so that a resumed run repeats little. The run starts no further
   * work meanwhile. Any other reason to end the run ends it at once.
   */
  private failAfterCheckpoint(error: unknown): void {
    if (this.failing !== undefined) return;
    const { keeper } = this;
    if (this.hasEnded() || keeper?.canResume !== true || codeOf(error) === 'MILLRACE_CONSERVATION') {
      this.end('failed', error);
      return;
    }
    this.failing = { error };
    // The account of the failed task no longer balances.
    this.watchdog.stop();
    const end = (): void => {
      cancelTimer();
      this.end('failed', error);
    };
    const { clock } = this.parts;
    // The batch in which the task failed may still be on its way to others.
    let cancelTimer = clock.schedule(0, () => {
      if (this.hasEnded()) return;
      cancelTimer = clock.schedule(LAST_CHECKPOINT_MS, end);
      // The failure of the task is the one to report; the checkpoint before stays valid.
      keeper.writeNow().then(end, end);
    });
  }

  /** The only method that ends the run; calls after the first have no effect. */
  private end(outcome: RunOutcome, error?: unknown): void {
    if (this.outcome !== undefined) return;
    const { failing } = this;
    const isFirst = failing === undefined || codeOf(error) === 'MILLRACE_CONSERVATION';
    this.outcome = isFirst ? outcome : 'failed';
    if (this.outcome === 'failed') this.failure = isFirst ? error : failing.error;
    void this.finish(this.outcome);
  }

  private async finish(wanted: RunOutcome): Promise<void> {
    this.watchdog.stop();
    this.firstMeasurements.stop();
    this.draining?.stop();
    const stopped = this.keeper?.stop();
    // The last measurement, which may be the only one.
    if (this.hasStarted) this.report.measure();
    this.report.rest();
    let outcome = wanted;
    const fail = (error: unknown): void => {
      if (outcome !== 'failed') this.failure = error;
      outcome = 'failed';
    };
    const isWell = (): boolean => outcome === 'completed' || outcome === 'drained';
    this.failLate = (error) => {
      // In a run that was cancelled or has failed, failing work is expected.
      if (isWell()) fail(error);
    };
    const abortIfIll = (): void => {
      if (!isWell()) this.abort.abort(this.failure ?? cancelled());
    };
    try {
      if (isWell()) {
        if (this.hasLetGo) this.watchdog.assertLaws();
        else this.watchdog.assertOver();
      }
    } catch (error) {
      fail(error);
    }
    abortIfIll();
    // Disconnects before the first wait, so that no further record is read.
    this.wiring.disconnect();
    if (isWell()) await attempt(() => this.keeper?.finish(outcome === 'completed'), fail);
    abortIfIll();
    await this.opening.settled;
    await this.advancing;
    await stopped;
    await attempt(() => this.keeper?.close(), fail);
    await this.pendingWork.settled();
    if (this.order.hasNext && this.opening.hasBegun && !this.skipsAftermath) await this.runAfterwards(outcome, fail);
    await this.executor.close();
    const tasks = this.phase.unclosed.map(({ declaration }) => declaration);
    await closeAll({ tasks, deadLetters: this.parts.deadLetters, release: this.parts.release }, () => outcome, fail);
    if (!this.isReplaced) await attempt(() => this.parts.onEnd?.(this.report.summarize(outcome, this.failure)), fail);
    this.conclude(outcome);
  }

  private keeperOf(progress: KeptProgress, { emit, fail }: RunServices): ProgressKeeper {
    const notice = (message: string): void => {
      this.notice(message);
    };
    return new ProgressKeeper(progress, this.parts, { emit, fail, notice, hasEnded: () => this.hasEnded() });
  }

  private conclude(outcome: RunOutcome): void {
    this.isOver = true;
    this.outcome = outcome;
    this.onEnd(this.report.summarize(outcome, this.failure), this.failure);
  }

  /** A method, not the field, so that TypeScript does not narrow it across awaits and callbacks. */
  private hasEnded(): boolean {
    return this.outcome !== undefined;
  }

  private emit(event: RunEvent): void {
    this.events.emit(event);
  }
}

/** The names, or the first of them. */
function named(tasks: readonly string[]): string {
  const shown = tasks.slice(0, MOST_NAMES).map((task) => `'${task}'`);
  const more = tasks.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function cancelled(): MillraceError {
  return new MillraceError('MILLRACE_ABORTED', 'The run was cancelled');
}
