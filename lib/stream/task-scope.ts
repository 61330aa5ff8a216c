/**
 * The services of a run for one task. A test can run any task with its own clock, seed and recording store.
 */
import type { TaskAccount } from '../ledger/account.js';
import type { Family } from '../ledger/family.js';
import type { RootLedger } from '../ledger/ledger.js';
import type { Turn } from '../ledger/turn.js';
import type { Executor } from '../execution/executor.js';
import type { CallNews } from '../model/call-event.js';
import type { Json } from '../model/checkpoint.js';
import type { LineageId, RecordSpan, TaskContext } from '../model/ports.js';
import type { Gone, Lineage } from '../model/record.js';
import type { Upstream } from '../model/upstream.js';
import type { KeptOutputs } from './kept-outputs.js';
import type { StateSpace } from './state-space.js';
import type { Secrets } from '../text/secrets.js';

/** A record that failed for good, as an operator reports it. */
export interface Failure {
  /** The number of the record. */
  readonly lineage: Lineage;
  /** The record as the task received it. */
  readonly record: unknown;
  /** The last error. */
  readonly error: unknown;
  /** The number of attempts, at least 1. */
  readonly attempts: number;
  /** The time of the first attempt in milliseconds since 1970, if known. */
  readonly firstAt?: number;
  /**
   * For a record that a boundary or a join accepted: the root of its lineage. Such a record has no output slot, so a
   * fallback is not possible.
   */
  readonly takenFrom?: RootLedger | undefined;
  /** The name of a record that has left its root already; see `identityOf`. */
  readonly name?: string;
}

/** The part of one partition of a source that earlier incarnations have read, as numbers of its records. */
export interface PartitionSpan {
  /** The first record of all. */
  readonly first: Lineage;
  /** The first record that this incarnation needs. */
  readonly from: Lineage;
  /** The number after the last record that was born. */
  readonly born: Lineage;
}

/** The progress of earlier incarnations of a resumed run with the records of a task. */
export interface TaskPast {
  /** The position of the task at the checkpoint, as its `persist` returned it. */
  readonly position: Json | undefined;
  /** Whether the task does everything again, because its records may have other numbers in this incarnation. */
  readonly isAnew: boolean;
  /** For a source that can be read again: the number of records it has emitted since the first incarnation. */
  readonly born: number;
  /**
   * For a source that cannot be read again: records below this number were read, and cannot be read again. Otherwise 0.
   */
  readonly lost: number;
  /** For a source: the records that earlier incarnations have read, by partition. */
  readonly partitions: ReadonlyMap<number, PartitionSpan>;
  /** Whether no task downstream needs the output of this lineage again. */
  isDone(lineage: Lineage): boolean;
  /** Whether a durable task has stored the record of this lineage permanently. */
  isWritten(lineage: Lineage): boolean;
}

/** One edge into a boundary: accepted records leave their root here. */
export interface InputEdge {
  /** The task at the other end of the edge. */
  readonly from: string;
  readonly root: RootLedger;
  /** Identifies, together with a lineage of the root, one record over all incarnations of a run; see `TaskScope`. */
  readonly numbering: string;
  readonly exit: number;
  /** The roots that its records descend from, including its own. */
  readonly descent: ReadonlySet<RootLedger>;
  /** Reports that this boundary needs no more records of the input. Later records count as skipped. */
  stop(): void;
}

/** The parts of a run that the operator of a task may use. */
export interface TaskScope extends TaskContext {
  /** Counts the records that enter, leave and end here. */
  readonly account: TaskAccount;
  /** The root of the lineages of the task's outputs. */
  readonly root: RootLedger;
  /**
   * Identifies, together with a lineage of the root, one record over all incarnations of a run: the name of the root,
   * plus the incarnation if a resumed run may assign its numbers to other records.
   */
  readonly numbering: string;
  /** For a boundary, its edges in dependency order; empty otherwise. */
  readonly inputs: readonly InputEdge[];
  /** For a boundary or a join whose state is kept: its part of the durable state of the run. */
  readonly state: StateSpace | undefined;
  /** For a root whose outputs are kept: its outputs in flight. */
  readonly outputs: KeptOutputs | undefined;
  /**
   * The name of a record of `root` (default: the root of the outputs), the same in every incarnation of the run: its
   * number, or, behind a boundary whose state is kept, an identity derived from its inputs.
   */
  identityOf(lineage: Lineage, root?: RootLedger): string;
  /** The identity of a record of `root`. */
  idOf(lineage: Lineage, root: RootLedger): LineageId;
  /** Whether a task reads the named output. */
  readsOutput(name: string): boolean;
  /** For an expanding task: the parents of its records. */
  readonly family: Family | undefined;
  /** Reports when long synchronous work should return to the event loop. */
  readonly turn: Turn;
  /** Answers requests instead of the network, if the run has one (in tests). */
  readonly upstream: Upstream | undefined;
  /** The values to mask in all output of the run. A task that opens a connection adds its credentials. */
  readonly secrets: Secrets;
  /** Begins the span of a record, which the caller must end. Returns undefined if the record is not traced. */
  beginSpan(lineage: Lineage): RecordSpan | undefined;
  /** For a resumed run: the progress of earlier incarnations in this task. */
  readonly past: TaskPast | undefined;
  /** Runs heavy work, inline or in threads, by the options of the run. Threads start on first use. */
  readonly executor: Executor;
  /** Reports a reason, found during the run, why the run cannot be resumed. No more checkpoints are made. */
  cannotResume(reason: string): void;
  /**
   * Reports that the outputs of this boundary depend on more than its input, so that a resumed run must repeat them.
   */
  cannotRepeat(): void;
  /**
   * Whether work on another record, or another attempt, may begin. False in a run that drains and can be resumed: the
   * record stays unfinished, and the resumed run processes it.
   */
  mayStart(): boolean;
  /**
   * Allows more records in flight, until `narrow`: doubles the windows of the root and of the roots that it descends
   * from. Returns false if they have their largest size.
   */
  widen(): boolean;
  /** Returns the widened windows to their own size as soon as the records in flight fit. */
  narrow(): void;
  /** Whether sources were stopped early, so that a partial aggregate would be a wrong answer. */
  readonly isDraining: boolean;
  /**
   * Applies the task's failure policy. Returns the fallback, or `GONE` after the dead letter or skip was counted.
   * Throws the error of the run if the policy is `fail`.
   */
  giveUp(failure: Failure): unknown;
  /** Calls `listener` with each record that the task gives up, before the failure policy applies. */
  whenGivenUp(listener: (lineage: Lineage) => void): void;
  /** Counts a record that ends on purpose. Returns `GONE`. */
  skip(reason: string): Gone;
  /** Emits a notice to the observers of the run: one sentence. */
  notice(message: string): void;
  /** Emits an event about the upstream that this task calls. */
  report(news: CallNews): void;
  /**
   * Adds one sample of the time spent on a record, in milliseconds. Pass `lineage` only if it is the time of that
   * record, not a mean over several records.
   */
  sampleLatency(elapsedMs: number, lineage?: Lineage): void;
  /** Adds one sample of the time from the arrival of a record to its start, in milliseconds. */
  sampleQueueing(elapsedMs: number): void;
  /** Registers a function that returns the number of records of an input that wait for their partners. */
  watchEdges(waitingAt: (input: number) => number): void;
  /** Whether roots must wait, e.g. because dead letters are written more slowly than they arrive. */
  readonly isHeldBack: boolean;
  /** Calls `listener` when roots may continue after they were held back. */
  whenReleased(listener: () => void): void;
  /**
   * Calls `listener` when the task should end as if its input were over: a source drains, or its output is no longer
   * wanted.
   */
  whenEnding(listener: () => void): void;
  /** Throws MILLRACE_LOCKED once another process has taken over the run. Tasks that write call it before each write. */
  assertOwned?(): void;
  /** Keeps the run from finishing before this work. An error of the work fails the run. */
  track(work: Promise<unknown>): void;
  /**
   * Registers a function for stall reports. It returns the lineage and the dependencies that this part waits for, or
   * undefined while it does not wait.
   */
  explain(waitingFor: () => Waiting | undefined): void;
}

/** The lineage and the dependencies that one part of a run waits for. */
export interface Waiting {
  readonly lineage: Lineage;
  /** The dependencies that have not delivered. */
  readonly for: readonly string[];
}
