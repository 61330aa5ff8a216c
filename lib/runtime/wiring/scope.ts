/**
 * The scope of one task (or of one join) in one run: its account, its root and its failure policy.
 *
 * Guarantees: each record that fails is handled by exactly one policy, and the account, the dead letters and the events
 * agree on it.
 */
import { refusePromise } from '../../model/awaitable.js';
import { TaskAccount } from '../../ledger/account.js';
import { FatalTaskError, MillraceError, codeOf, describeThrown } from '../../model/errors.js';
import type { CallNews, CallsSummary } from '../../model/call-event.js';
import type { Executor } from '../../execution/executor.js';
import type { Family } from '../../ledger/family.js';
import { Histogram } from '../../measure/histogram.js';
import type { RootLedger } from '../../ledger/ledger.js';
import { recordText } from '../../model/lineage-id.js';
import type { Clock, LineageId, RecordSpan } from '../../model/ports.js';
import type { KeptOutputs } from '../../stream/kept-outputs.js';
import type { StateSpace } from '../../stream/state-space.js';
import type { Failure, InputEdge, TaskPast, TaskScope, Waiting } from '../../stream/task-scope.js';
import { FAILED } from '../../model/graph.js';
import { GONE, Routed, Skip, type FailedRecord, type Gone, type Lineage } from '../../model/record.js';
import { SlowRecords } from '../../measure/slow-records.js';
import type { Turn } from '../../ledger/turn.js';
import type { Upstream } from '../../model/upstream.js';
import type { Secrets } from '../../text/secrets.js';
import type { FailurePolicy } from '../../tasks/task-options.js';
import type { RunPast } from '../resume/run-past.js';
import type { RunServices } from './services.js';

export interface ScopeParts {
  readonly task: string;
  readonly root: RootLedger;
  readonly inputs: readonly InputEdge[];
  readonly family: Family | undefined;
  /** The root and the roots that it descends from. */
  readonly descent: ReadonlySet<RootLedger>;
  readonly onFailure: FailurePolicy<unknown>;
  /** Whether the task runs after others: it then has one record, which stands for the task. */
  readonly startsOnce?: boolean;
  /** The named outputs that other tasks read. If a task reads the failed records, they do not become dead letters. */
  readonly readOutputs?: ReadonlySet<string>;
  /** The past of a resumed run. */
  readonly past?: RunPast | undefined;
  /** The durable state of this boundary. */
  readonly state?: StateSpace | undefined;
  /** The outputs in flight of the roots whose outputs are kept. */
  readonly outputs: ReadonlyMap<RootLedger, KeptOutputs>;
  /** Keeps the outputs in front of the dead letters of this scope. */
  readonly forks?: { retain(task: string, root: RootLedger, lineage: Lineage): void } | undefined;
}

const NO_LISTENERS: readonly (() => void)[] = [];
const NO_EXPLAINERS: readonly (() => Waiting | undefined)[] = [];
const nothingWaits = (_input: number): number => 0;

export class RunScope implements TaskScope {
  readonly task: string;
  readonly root: RootLedger;
  readonly inputs: readonly InputEdge[];
  readonly family: Family | undefined;
  readonly state: StateSpace | undefined;
  readonly outputs: KeptOutputs | undefined;
  private readonly descent: ReadonlySet<RootLedger>;
  private readonly forks: ScopeParts['forks'];
  private readonly allOutputs: ReadonlyMap<RootLedger, KeptOutputs>;
  readonly account: TaskAccount;
  readonly latency = new Histogram();
  /** The summary of the task's calls. Set when the task has ended. */
  calls: CallsSummary | undefined;
  readonly past: TaskPast | undefined;
  private readonly runPast: RunPast | undefined;
  readonly queueing = new Histogram();
  readonly slowest = new SlowRecords();
  private readonly onFailure: FailurePolicy<unknown>;
  private readonly readOutputs: ReadonlySet<string> | undefined;
  private readonly startsOnce: boolean;
  readonly random: () => number;
  readonly assertOwned: () => void;
  private readonly services: RunServices;
  private endingListeners: readonly (() => void)[] = NO_LISTENERS;
  private hasToEnd = false;
  private ownNumbering: string | undefined;
  private failureListener: ((lineage: Lineage) => void) | undefined;
  private edgeLook = nothingWaits;
  private explainers = NO_EXPLAINERS;

  constructor(parts: ScopeParts, services: RunServices) {
    this.task = parts.task;
    this.root = parts.root;
    this.inputs = parts.inputs;
    this.family = parts.family;
    this.descent = parts.descent;
    this.state = parts.state;
    this.allOutputs = parts.outputs;
    this.forks = parts.forks;
    this.outputs = parts.outputs.get(parts.root);
    this.onFailure = parts.onFailure;
    this.readOutputs = parts.readOutputs;
    this.startsOnce = parts.startsOnce ?? false;
    this.runPast = parts.past;
    this.past = parts.past?.of(parts.task, parts.root.name);
    this.account = new TaskAccount(parts.task);
    this.services = services;
    this.random = services.random;
    this.assertOwned = services.assertOwned;
  }

  get runId(): string {
    return this.services.runId;
  }
  /** Made when the task is opened, because the aftermath of a run has a numbering of its own. */
  get numbering(): string {
    this.ownNumbering ??= this.services.numberingOf(this.root.name);
    return this.ownNumbering;
  }
  get clock(): Clock {
    return this.services.clock;
  }
  get signal(): AbortSignal {
    return this.services.signal();
  }
  get turn(): Turn {
    return this.services.turn;
  }
  get upstream(): Upstream | undefined {
    return this.services.upstream;
  }
  get secrets(): Secrets {
    return this.services.secrets;
  }
  get executor(): Executor {
    return this.services.executor();
  }
  get isDraining(): boolean {
    return this.services.isDraining();
  }
  mayStart(): boolean {
    return this.services.mayStart();
  }
  widen(): boolean {
    const widened = [...this.descent].filter((root) => root.widen(this));
    // The part that asks has not finished its own turn.
    this.clock.defer(() => {
      for (const root of widened) root.wake();
    });
    return widened.length > 0;
  }
  narrow(): void {
    for (const root of this.descent) root.narrow(this);
  }
  get isHeldBack(): boolean {
    return this.services.deadLetters.isFull;
  }

  identityOf(lineage: Lineage, root = this.root): string {
    return this.allOutputs.get(root)?.identityOf(lineage) ?? recordText(root.identify(lineage));
  }

  idOf(lineage: Lineage, root: RootLedger): LineageId {
    const name = this.allOutputs.get(root)?.identityOf(lineage);
    return { ...root.identify(lineage), ...(name === undefined ? {} : { name }) };
  }

  readsOutput(name: string): boolean {
    return this.readOutputs?.has(name) === true;
  }

  giveUp(failure: Failure): unknown {
    const { account, onFailure, services } = this;
    const { error } = failure;
    // A broken law or a wrong task is not a failure of this record, so no policy may hide it.
    if (error instanceof FatalTaskError) throw error;
    if (error instanceof MillraceError && error.code === 'MILLRACE_CONSERVATION') throw error;
    account.failed++;
    this.failureListener?.(failure.lineage);
    account.retried += failure.attempts - 1;
    if (this.readsOutput(FAILED) && failure.takenFrom === undefined) return this.handOn(failure);
    if (onFailure === 'skip') return this.skip(`failed: ${codeOf(error)}`);
    if (onFailure === 'fail') throw this.refusal(failure);
    if (typeof onFailure === 'object' && failure.takenFrom === undefined) {
      const left = this.fallback(onFailure.fallback, failure);
      return left instanceof Skip ? this.skip(left.reason) : left;
    }
    account.deadLettered++;
    const root = failure.takenFrom ?? this.root;
    this.allOutputs.get(root)?.retain(failure.lineage);
    this.forks?.retain(this.task, root, failure.lineage);
    // An earlier incarnation has already written this letter.
    if (this.runPast?.wasGivenUp(this.task, root.name, failure.lineage) === true) return GONE;
    const at = services.clock.now();
    const letter = {
      runId: services.runId,
      task: this.task,
      lineage: {
        ...this.idOf(failure.lineage, root),
        ...(failure.name && this.allOutputs.has(root) ? { name: failure.name } : {}),
      },
      record: services.secrets.data(failure.record),
      attempts: failure.attempts,
      code: codeOf(error),
      message: services.secrets.message(describeThrown(error)),
      firstAt: failure.firstAt ?? at,
      lastAt: at,
    };
    services.deadLetters.write(letter);
    services.emit({ type: 'dead-letter', at, letter });
    return GONE;
  }

  whenGivenUp(listener: (lineage: Lineage) => void): void {
    this.failureListener = listener;
  }

  skip(reason: string): Gone {
    this.account.countSkip(reason);
    return GONE;
  }

  notice(message: string): void {
    this.services.emit({ type: 'notice', at: this.services.clock.now(), message });
  }

  report(news: CallNews): void {
    if (news.type === 'calls') {
      const { upstream, policies, concurrency, counts } = news;
      this.calls = { upstream, policies, concurrency, counts };
    }
    this.services.emit({ ...this.identified(news), at: this.services.clock.now(), task: this.task });
  }

  /** The news with the identity of its record in place of its lineage. */
  private identified(news: CallNews): CallNews {
    if (news.type !== 'retry') return news;
    const { partition, number } = this.root.identify(news.lineage);
    return { ...news, lineage: number, ...(partition > 0 && { partition }) };
  }

  sampleLatency(elapsedMs: number, lineage?: Lineage): void {
    this.latency.record(elapsedMs);
    if (lineage === undefined || elapsedMs <= this.slowest.floorMs) return;
    const { root, partition, number } = this.root.identify(lineage);
    this.slowest.add({
      task: this.task,
      root,
      ...(partition > 0 && { partition }),
      lineage: number,
      ms: Math.round(elapsedMs * 1000) / 1000,
      at: this.clock.now(),
    });
  }

  sampleQueueing(elapsedMs: number): void {
    this.queueing.record(elapsedMs);
  }

  watchEdges(waitingAt: (input: number) => number): void {
    this.edgeLook = waitingAt;
  }

  /** The number of records of an input that wait for their partners. */
  waitingAt(input: number): number {
    return this.edgeLook(input);
  }

  whenReleased(listener: () => void): void {
    this.services.deadLetters.whenReady(listener);
  }

  whenEnding(listener: () => void): void {
    // Most tasks have one at most: an array that grows by `push` has room for 17.
    this.endingListeners = [...this.endingListeners, listener];
    // The task may have ended before this listener was added.
    if (this.hasToEnd) listener();
  }

  track(work: Promise<unknown>): void {
    this.services.track(work);
  }

  cannotResume(reason: string): void {
    this.services.cannotResume(reason);
  }

  cannotRepeat(): void {
    this.services.cannotRepeat(this.task);
  }

  beginSpan(lineage: Lineage): RecordSpan | undefined {
    const { tracer } = this.services;
    if (tracer === undefined) return undefined;
    const { partition, number } = this.root.identify(lineage);
    const span = tracer.begin(this.task, number, partition);
    if (span === undefined) return undefined;
    const { secrets } = this;
    return {
      traceparent: span.traceparent,
      end: (attempts, failure) => {
        span.end(attempts, failure && { error: secrets.error(failure.error) });
      },
    };
  }

  explain(waitingFor: () => Waiting | undefined): void {
    this.explainers = [...this.explainers, waitingFor];
  }

  /** Whether the task must end. */
  get isEnding(): boolean {
    return this.hasToEnd;
  }

  /** Makes the task end as if its input were over. */
  end(): void {
    this.hasToEnd = true;
    for (const listener of this.endingListeners) listener();
  }

  /** The dependency that this task waits for, from the first explainer that knows one. */
  waitsFor(): Waiting | undefined {
    for (const explainer of this.explainers) {
      const waiting = explainer();
      if (waiting !== undefined) return waiting;
    }
    return undefined;
  }

  /** The record for the readers of the failed output. */
  private handOn({ record, error, attempts }: Failure): Routed {
    const message = this.services.secrets.message(describeThrown(error));
    return new Routed(FAILED, { record, error: { code: codeOf(error), message }, attempts } satisfies FailedRecord);
  }

  private fallback(fallback: unknown, failure: Failure): unknown {
    if (typeof fallback !== 'function') return fallback;
    try {
      const value = (fallback as (record: unknown, error: unknown) => unknown)(failure.record, failure.error);
      refusePromise(value, `\`fallback\` of '${this.task}'`);
      return value;
    } catch (error) {
      if (error instanceof FatalTaskError) throw error;
      throw this.refusal({ ...failure, error });
    }
  }

  private refusal({ lineage, error, takenFrom = this.root }: Failure): MillraceError {
    if (this.startsOnce) {
      return new MillraceError('MILLRACE_TASK', `Task '${this.task}' failed: ${describeThrown(error)}`, {
        cause: error,
      });
    }
    return new MillraceError(
      'MILLRACE_TASK',
      `Task '${this.task}' failed on record ${recordText(takenFrom.identify(lineage))} of '${takenFrom.name}': ${describeThrown(error)}`,
      { cause: error },
    );
  }
}
