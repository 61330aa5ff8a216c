/**
 * One execution of a workflow, as users hold it. The engine behind it is loaded when the run starts.
 *
 * Guarantees: the run starts after the turn in which it was created, so that a subscriber of that turn misses nothing;
 * it ends exactly once; after `finished` has settled, no timer, subscription, file, socket or thread of the run is
 * left.
 */
import type { Observable } from 'rxjs';
import { holdClock } from '../../model/clock.js';
import { MillraceError, describeThrown } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import type { TaskCounts } from '../../model/metrics.js';
import type { RunSummary } from '../../model/run-summary.js';
import type { ExecutorStats } from '../../model/thread-stats.js';
import { isGone, recordAt } from '../../model/record.js';
import { GuardedObservable } from '../../stream/guarded-observable.js';
import { Outlet } from '../../stream/outlet.js';
import { suggest } from '../../text/nearest.js';
import type { DrainOptions } from './draining.js';
import { EventStream } from './event-stream.js';
import type { EngineOfRun } from './engine-of-run.js';
import type { RunFace } from './run-face.js';
import type { RunParts } from './run-parts.js';

/** An output of a task, as it is observed. */
interface Output {
  readonly outlet: Outlet;
  /** Its name; undefined for the plain output. */
  readonly output: string | undefined;
}

/** The engine, once a run of this process has loaded it. */
let engineModule: typeof import('./run-engine.js') | undefined;

const NO_COUNTS: TaskCounts = { in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0 };
const NO_THREADS: ExecutorStats = { size: 0, queued: 0, replaced: 0, threads: [] };

/**
 * One execution of a workflow. `Workflow.run` creates it, and it starts after the current turn of the event loop,
 * so a subscriber of the same turn misses nothing.
 */
export class Run<Outputs = Record<string, unknown>> {
  /** The given id, the id in the checkpoint, or a new random id. */
  readonly id: string;
  /**
   * The events of the run; late subscribers get `run-started` and the last 999 events. Completes at the end of the run.
   */
  readonly events$: Observable<RunEvent>;
  /**
   * Resolves with the summary when everything has ended and is released, also if the run was cancelled or drained.
   * Rejects with a `RunFailedError`, which holds the summary, if the run failed.
   */
  readonly finished: Promise<RunSummary>;

  private readonly parts: RunParts;
  private readonly outlets: ReadonlyMap<string, Outlet>;
  private readonly events = new EventStream();
  /** Undefined until the run has started. */
  private engine: EngineOfRun | undefined;
  /** A cancel or drain requested before the run has started. */
  private early: 'cancel' | DrainOptions | undefined;
  private failure: unknown;
  private settle!: { resolve: (summary: RunSummary) => void; reject: (error: unknown) => void };

  constructor(parts: RunParts) {
    this.parts = parts;
    this.id = parts.runId;
    this.outlets = new Map(parts.plan.nodes.map(({ node }) => [node.name, new Outlet()]));
    this.events$ = new GuardedObservable(this.reportSubscriber, (subscriber) => this.events.subscribe(subscriber));
    parts.tracer?.follow(this.events$);
    this.finished = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // A run that is only watched through its events must not end in an unhandled rejection.
    this.finished.catch(() => undefined);
    this.cancelOn(parts.signal);
    parts.clock.defer(() => {
      this.start().catch((error: unknown) => this.abandon(error));
    });
  }

  /**
   * The records that a task emits, as a plain Observable. If a subscriber throws, the run reports an event and
   * continues. Errors if the run fails, completes when the task has emitted its last record. Throws
   * MILLRACE_UNKNOWN_TASK for a name that no task has, and MILLRACE_INVALID_OPTION in a run with a `carrier`, whose
   * records are in other places.
   */
  output$<Name extends keyof Outputs & string>(name: Name): Observable<Outputs[Name]> {
    if (this.parts.carry !== undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `The records of '${name}' cannot be observed here: the run has a carrier, and its tasks run in other places. Write them with a sink`,
      );
    }
    const found = this.outputs().get(name);
    if (found === undefined) {
      const names = [...this.outputs().keys()];
      throw new MillraceError(
        'MILLRACE_UNKNOWN_TASK',
        `There is no output '${name}' to observe.${suggest(name, names)}`,
      );
    }
    return recordsOf<Outputs[Name]>(found.outlet, found.output, this.reportSubscriber);
  }

  /** The outputs that can be observed, by their names. Failed records have one if a task depends on it. */
  private outputs(): Map<string, Output> {
    const outputs = new Map<string, Output>();
    for (const { node, outputs: read } of this.parts.plan.nodes) {
      const { name } = node;
      const outlet = this.outlets.get(name) as Outlet;
      if ((node.outputs ?? []).length === 0) outputs.set(name, { outlet, output: undefined });
      for (const output of read) outputs.set(`${name}.${output}`, { outlet, output });
    }
    return outputs;
  }

  /** The account of each task at this moment. */
  get counts(): Readonly<Record<string, TaskCounts>> {
    return this.engine?.counts ?? Object.fromEntries([...this.outlets.keys()].map((name) => [name, NO_COUNTS]));
  }

  /** The threads of this run at this moment, as plain data; after the end of the run, their state at its end. */
  get threads(): ExecutorStats {
    return this.engine?.threads ?? NO_THREADS;
  }

  /**
   * True during the aftermath of a run that has failed, was cancelled or drained: while the tasks run whose rules are
   * met by such an end.
   */
  get isInAftermath(): boolean {
    return this.engine?.isInAftermath ?? false;
  }

  /**
   * Aborts the run: it reads, starts and writes nothing more. `finished` resolves with the outcome 'cancelled'. In a
   * run that has ended, ends the aftermath.
   */
  cancel(): void {
    if (this.engine === undefined) this.early = 'cancel';
    else this.engine.cancel();
  }

  /**
   * Stops the sources and lets the records in flight settle. In a run that keeps its progress, records that have not
   * started are released, and no call gets another attempt: `finished` resolves as soon as nothing is running, and the
   * resumed run processes these records. A run that cannot be resumed processes all records in flight. Collections that
   * would be partial (aggregates, `all`) are not emitted, and file results keep their `.part` name. After the grace, if
   * there is one, the run is aborted as by `cancel`.
   */
  drain(options: DrainOptions = {}): void {
    if (this.engine === undefined) this.early ??= options;
    else this.engine.drain(options);
  }

  /** Emits a notice about this run: one sentence. */
  notice(message: string): void {
    this.events.emit({ type: 'notice', at: this.parts.clock.now(), message });
  }

  private cancelOn(signal: AbortSignal | undefined): void {
    const onAbort = (): void => {
      this.cancel();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    void this.finished.catch(() => undefined).then(() => signal?.removeEventListener('abort', onAbort));
  }

  private async start(): Promise<void> {
    const { events, outlets } = this;
    const engine = await this.engineFor({
      events,
      outlets,
      onEnd: (summary, failure) => {
        this.conclude(summary, failure);
      },
    });
    this.engine = engine;
    if (this.early === 'cancel') engine.cancel();
    else if (this.early !== undefined) engine.drain(this.early);
    await engine.start();
  }

  private async engineFor(face: RunFace): Promise<EngineOfRun> {
    const { parts } = this;
    if (parts.carry !== undefined) return parts.carry(parts, face);
    // Later runs need not wait for the import: in virtual time each wait for work outside of the clock is slow.
    engineModule ??= await holdClock(parts.clock, import('./run-engine.js'));
    return new engineModule.RunEngine(parts, face);
  }

  /** Ends a run whose engine could not be loaded or made: it has no summary. */
  private async abandon(error: unknown): Promise<void> {
    if (this.engine !== undefined) {
      this.engine.fail(error);
      return;
    }
    const { deadLetters, release } = this.parts;
    this.failure = error;
    for (const outlet of this.outlets.values()) outlet.error(error);
    // The first error is the one to report.
    await Promise.allSettled([deadLetters.close(), Promise.resolve(release?.())]);
    this.events.complete();
    this.settle.reject(error);
  }

  private conclude(summary: RunSummary, failure: unknown): void {
    const { runId, endedAt, outcome, error } = summary;
    this.failure = failure;
    for (const outlet of this.outlets.values()) {
      if (outcome === 'failed') outlet.error(failure);
      else outlet.complete();
    }
    this.events.emit({
      type: 'run-ended',
      at: endedAt,
      runId,
      outcome,
      ...(error === undefined ? {} : { error }),
      summary,
    });
    this.events.complete();
    if (outcome === 'failed') this.settle.reject(new RunFailedError(summary, failure));
    else this.settle.resolve(summary);
  }

  private readonly reportSubscriber = (error: unknown): void => {
    if (error === this.failure && error !== undefined) return;
    this.events.emit({ type: 'subscriber-error', at: this.parts.clock.now(), message: describeThrown(error) });
  };
}

/**
 * The output of a task, record by record, for subscribers outside the run. `report` receives the errors that they
 * throw.
 */
function recordsOf<T>(outlet: Outlet, output: string | undefined, report: (error: unknown) => void): Observable<T> {
  return new GuardedObservable<T>(report, (subscriber) =>
    outlet.subscribe({
      next: ({ values }) => {
        for (const value of values) {
          const record = recordAt(value, output);
          if (!isGone(record)) subscriber.next(record as T);
        }
      },
      error: (error: unknown) => {
        subscriber.error(error);
      },
      complete: () => {
        subscriber.complete();
      },
    }),
  );
}

/** The failure of a run: the message and code of the first failure, with the summary of the run. */
export class RunFailedError extends MillraceError {
  /** The summary of the run until the failure; its outcome is 'failed'. Not printed with the error. */
  declare readonly summary: RunSummary;

  constructor(summary: RunSummary, cause: unknown) {
    const code = cause instanceof MillraceError ? cause.code : 'MILLRACE_TASK';
    super(code, summary.error?.message ?? describeThrown(cause), { cause });
    // Node prints all enumerable members of an uncaught error, and a summary is pages long.
    Object.defineProperty(this, 'summary', { value: summary });
  }
}

/** A new id: it sorts by time, is unique without coordination, and is a valid file name. */
export function newRunId(): string {
  const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  return `${stamp}-${globalThis.crypto.randomUUID().slice(0, 8)}`;
}
