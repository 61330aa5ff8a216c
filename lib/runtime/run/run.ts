/**
 * One execution of a workflow.
 *
 * Promises: it starts in the turn after it was made, so whoever subscribes at once misses nothing; it ends exactly once;
 * after `finished` has settled, no timer, subscription, file, socket or thread of it is left.
 */
import type { Observable } from 'rxjs';
import { countsOf } from '../../ledger/account.js';
import type { TaskCounts } from '../../model/metrics.js';
import { MillraceError, describeThrown } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import type { ExecutorStats } from '../../model/thread-stats.js';
import { suggest } from '../../text/nearest.js';
import type { RunOutcome } from '../../model/ports.js';
import { seededRandom } from '../../execution/random.js';
import type { RunSummary } from '../../model/run-summary.js';
import { Turn } from '../../ledger/turn.js';
import { GuardedObservable } from '../../stream/guarded-observable.js';
import { attempt, closeAll } from './closing.js';
import { EventStream } from './event-stream.js';
import { Opening } from './opening.js';
import { PendingWork } from './pending-work.js';
import { ProgressKeeper } from '../resume/progress-keeper.js';
import { recordsOf } from './records-of.js';
import { RunExecutor } from './run-executor.js';
import type { KeptProgress, RunParts } from './run-parts.js';
import { RunFailedError } from './run-failed-error.js';
import { RunReport } from './run-report.js';
import type { RunServices } from '../wiring/services.js';
import { Watchdog } from '../watch/watchdog.js';
import { Wiring } from '../wiring/wiring.js';

/**
 * One execution of a workflow: `Workflow.run` makes it, and it starts in the next turn of the event
 * loop, so whoever subscribes at once misses nothing.
 */
export class Run<Outputs = Record<string, unknown>> {
  /** As given, taken over from a checkpoint, or new and random. */
  readonly id: string;
  /** What happens, as it happens; late subscribers get `run-started` and the last 999 events. Completes at the end of the run. */
  readonly events$: Observable<RunEvent>;
  /**
   * Resolves with the summary when everything is over and released, also when the run was cancelled or drained.
   * Rejects with a `RunFailedError`, which holds the summary, when the run failed.
   */
  readonly finished: Promise<RunSummary>;

  private readonly parts: RunParts;
  private readonly executor: RunExecutor;
  private readonly wiring: Wiring;
  private readonly report: RunReport;
  private readonly watchdog: Watchdog;
  private readonly keeper: ProgressKeeper | undefined;
  private readonly events = new EventStream();
  private readonly abort = new AbortController();
  private readonly pendingWork = new PendingWork((error) => {
    if (this.failLate === undefined) this.end('failed', error);
    else this.failLate(error);
  });
  private readonly opening = new Opening();
  private outcome: RunOutcome | undefined;
  private failure: unknown;
  private isDraining = false;
  private hasStarted = false;
  /** Set once the run is ending: work that fails then still decides how it ended. */
  private failLate: ((error: unknown) => void) | undefined;
  private settle!: { resolve: (summary: RunSummary) => void; reject: (error: unknown) => void };

  constructor(parts: RunParts) {
    this.parts = parts;
    this.id = parts.runId;
    const { progress } = parts;
    const turn = new Turn(parts.clock);
    this.executor = new RunExecutor(parts.threads, parts.threadLimits, turn, (type, thread) => {
      this.emit({ type, at: parts.clock.now(), thread });
    });
    const services = this.services(turn);
    if (progress !== undefined) this.keeper = this.keeperOf(progress, services);
    const { window, fusions } = parts;
    this.wiring = new Wiring(parts.plan, parts.declarations, services, {
      window,
      fused: [...fusions.hops, ...fusions.chains],
      isRepeatable: progress !== undefined,
      past: this.keeper?.past,
    });
    this.report = new RunReport(parts, this.wiring, services, this.executor, this.events);
    this.watchdog = new Watchdog(this.wiring, services, () => {
      this.report.measure();
    });
    this.events$ = new GuardedObservable(this.reportSubscriber, (subscriber) => this.events.subscribe(subscriber));
    parts.tracer?.follow(this.events$);
    this.finished = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Whoever only subscribes to events must not get an unhandled rejection.
    this.finished.catch(() => undefined);
    parts.deadLetters.whenBroken((error) => {
      this.end('failed', error);
    });
    this.cancelOn(parts.signal);
    parts.clock.defer(() => {
      void this.start();
    });
  }

  /**
   * The records a task emits, as a plain Observable. A subscriber that throws is reported as an event and changes
   * nothing. Errors when the run fails, completes when the task has emitted its last record. Throws
   * MILLRACE_UNKNOWN_TASK for a name that no task has.
   */
  output$<Name extends keyof Outputs & string>(name: Name): Observable<Outputs[Name]> {
    const task = this.wiring.tasks.get(name);
    if (task === undefined) {
      const names = [...this.wiring.tasks.keys()];
      throw new MillraceError('MILLRACE_UNKNOWN_TASK', `There is no task '${name}' to observe.${suggest(name, names)}`);
    }
    return recordsOf<Outputs[Name]>(task.output$, this.reportSubscriber);
  }

  /** The account of every task at this moment. */
  get counts(): Readonly<Record<string, TaskCounts>> {
    return Object.fromEntries([...this.wiring.tasks].map(([name, { scope }]) => [name, countsOf(scope.account)]));
  }

  /** The threads of this run at this moment, as plain data; of a run that is over, as they were at its end. */
  get threads(): ExecutorStats {
    return this.executor.stats();
  }

  /** Aborts: nothing more is read, started or written. `finished` resolves with the outcome 'cancelled'. */
  cancel(): void {
    this.end('cancelled');
  }

  /**
   * Stops the sources and lets what is in flight settle. Collections that would be partial (aggregates, `all`) are
   * not emitted, and file results keep their `.part` name.
   */
  drain(): void {
    if (this.outcome !== undefined || this.isDraining) return;
    this.isDraining = this.wiring.hasOpenSource || this.wiring.lastOperators.length > 0;
    this.emit({ type: 'draining', at: this.parts.clock.now() });
    this.wiring.stopSources();
  }

  /** Tells whoever listens something about this run, in one sentence. */
  notice(message: string): void {
    this.emit({ type: 'notice', at: this.parts.clock.now(), message });
  }

  private cancelOn(signal: AbortSignal | undefined): void {
    const onAbort = (): void => {
      this.cancel();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    void this.finished.catch(() => undefined).then(() => signal?.removeEventListener('abort', onAbort));
  }

  private services(turn: Turn): RunServices {
    const { clock } = this.parts;
    return {
      runId: this.id,
      clock,
      random: seededRandom(this.parts.seed),
      signal: this.abort.signal,
      turn,
      executor: () => this.executor.current,
      deadLetters: this.parts.deadLetters,
      upstream: this.parts.upstream,
      tracer: this.parts.tracer,
      isDraining: () => this.isDraining,
      emit: (event) => {
        this.emit(event);
      },
      cannotResume: (reason) => {
        this.keeper?.cannotResume(reason);
      },
      fail: (error) => {
        this.end('failed', error);
      },
      track: (work) => {
        this.pendingWork.track(work);
      },
    };
  }

  private async start(): Promise<void> {
    if (this.outcome !== undefined) return;
    const { clock } = this.parts;
    this.report.introduce();
    this.hasStarted = true;
    if (this.parts.signal?.aborted === true) {
      this.cancel();
      return;
    }
    const { executor, wiring, keeper } = this;
    try {
      if (!(await this.opening.open({ executor, wiring, keeper, hasEnded: () => this.hasEnded() }))) return;
    } catch (error) {
      this.end('failed', error);
      return;
    }
    for (const task of wiring.tasks.keys()) this.emit({ type: 'task-started', at: clock.now(), task });
    // Whoever heard that may have ended the run.
    if (this.hasEnded()) return;
    this.watchdog.start();
    this.wiring.connect(() => {
      this.end(this.isDraining ? 'drained' : 'completed');
    });
  }

  /** The one way to an end; only the first call counts. */
  private end(outcome: RunOutcome, error?: unknown): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    if (outcome === 'failed') this.failure = error;
    void this.finish(outcome);
  }

  private async finish(wanted: RunOutcome): Promise<void> {
    this.watchdog.stop();
    const stopped = this.keeper?.stop();
    // The last stretch, which may be all there was.
    if (this.hasStarted) this.report.measure();
    this.report.rest();
    let outcome = wanted;
    const fail = (error: unknown): void => {
      if (outcome !== 'failed') this.failure = error;
      outcome = 'failed';
    };
    const isWell = (): boolean => outcome === 'completed' || outcome === 'drained';
    this.failLate = (error) => {
      // Of a run that was cancelled or has failed, broken work is no news.
      if (isWell()) fail(error);
    };
    const abortIfIll = (): void => {
      if (!isWell()) this.abort.abort(this.failure ?? cancelled());
    };
    try {
      if (isWell()) this.watchdog.assertOver();
    } catch (error) {
      fail(error);
    }
    abortIfIll();
    // Before anything is waited for: nothing is read any more.
    this.wiring.disconnect();
    if (isWell()) await attempt(() => this.keeper?.finish(outcome === 'completed'), fail);
    abortIfIll();
    await this.opening.settled;
    await stopped;
    await this.pendingWork.settled();
    await this.executor.close();
    const tasks = [...this.wiring.tasks].map(([name, { declaration }]) => ({ name, task: declaration.task }));
    await closeAll({ tasks, deadLetters: this.parts.deadLetters, release: this.parts.release }, () => outcome, fail);
    await attempt(() => this.parts.onEnd?.(this.report.summarize(outcome, this.failure)), fail);
    this.conclude(outcome);
  }

  private keeperOf(progress: KeptProgress, { emit, fail }: RunServices): ProgressKeeper {
    const notice = (message: string): void => {
      this.notice(message);
    };
    return new ProgressKeeper(progress, this.parts, { emit, fail, notice, hasEnded: () => this.hasEnded() });
  }

  private conclude(outcome: RunOutcome): void {
    this.outcome = outcome;
    const { runId } = this.parts;
    const summary = this.report.summarize(outcome, this.failure);
    const { endedAt, error } = summary;
    for (const { output$ } of this.wiring.tasks.values()) {
      if (outcome === 'failed') output$.error(this.failure);
      else output$.complete();
    }
    this.emit({ type: 'run-ended', at: endedAt, runId, outcome, ...(error === undefined ? {} : { error }), summary });
    this.events.complete();
    if (outcome === 'failed') this.settle.reject(new RunFailedError(summary, this.failure));
    else this.settle.resolve(summary);
  }

  /** Asked anew after every wait, and after everybody was told something. */
  private hasEnded(): boolean {
    return this.outcome !== undefined;
  }

  private emit(event: RunEvent): void {
    this.events.emit(event);
  }

  private readonly reportSubscriber = (error: unknown): void => {
    if (error === this.failure && error !== undefined) return;
    this.emit({ type: 'subscriber-error', at: this.parts.clock.now(), message: describeThrown(error) });
  };
}

function cancelled(): MillraceError {
  return new MillraceError('MILLRACE_ABORTED', 'The run was cancelled');
}
