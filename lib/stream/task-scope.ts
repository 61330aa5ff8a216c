/**
 * Everything a task may use of the run it is part of, so that a test can run any task with a clock, a seed and a recording
 * store of its own.
 */
import type { TaskAccount } from '../ledger/account.js';
import type { Family } from '../ledger/family.js';
import type { RootLedger } from '../ledger/ledger.js';
import type { Turn } from '../ledger/turn.js';
import type { Executor } from '../execution/executor.js';
import type { CallNews } from '../model/call-event.js';
import type { Json } from '../model/checkpoint.js';
import type { RecordSpan, TaskContext } from '../model/ports.js';
import type { Gone, Lineage } from '../model/record.js';
import type { Upstream } from '../model/upstream.js';

/** A record that failed for good, as an operator reports it. */
export interface Failure {
  /** The number of the record. */
  readonly lineage: Lineage;
  /** The record as the task got it. */
  readonly record: unknown;
  /** The last error. */
  readonly error: unknown;
  /** Tries made, at least 1. */
  readonly attempts: number;
  /** Milliseconds since 1970 of the first try, where it is known. */
  readonly firstAt?: number;
  /**
   * For a record that a boundary or a join takes in: the root its lineage belongs to. No output stands in its place, so
   * neither can a fallback.
   */
  readonly takenFrom?: RootLedger | undefined;
}

/** What earlier lives of a resumed run have done with the records of a task. */
export interface TaskPast {
  /** How far the task had come, as its `mark` said at the checkpoint. */
  readonly mark: Json | undefined;
  /** Whether the task does everything again, because its records may have other numbers in this life. */
  readonly isAnew: boolean;
  /** Of a source that gives the same records again: how many it gave, counting from the first of all. */
  readonly born: number;
  /** Whether nobody downstream needs the output of this lineage again. */
  isDone(lineage: Lineage): boolean;
  /** Whether a durable task has written the record of this lineage for good. */
  isWritten(lineage: Lineage): boolean;
}

/** One edge into a boundary: where what was taken in leaves its root. */
export interface InputEdge {
  /** The task at the other end of the edge. */
  readonly from: string;
  readonly root: RootLedger;
  readonly exit: number;
  /** The roots its records descend from, its own included. */
  readonly descent: ReadonlySet<RootLedger>;
  /** Says that this boundary wants no more of that input; what still comes counts as skipped. */
  stop(): void;
}

/** Everything a task's operator may use of the run it is part of. */
export interface TaskScope extends TaskContext {
  /** Counts what goes in, comes out and ends here. */
  readonly account: TaskAccount;
  /** The root whose lineages the task's outputs carry. */
  readonly root: RootLedger;
  /**
   * What, with a lineage of the root, names one record over all lives of a run: the name of the root, and the life where
   * a resumed run may give its numbers to other records.
   */
  readonly numbering: string;
  /** For a boundary, its edges in dependency order; empty otherwise. */
  readonly inputs: readonly InputEdge[];
  /** For an expanding task, who descends from whom. */
  readonly family: Family | undefined;
  /** Says when a long synchronous stretch should give the event loop back. */
  readonly turn: Turn;
  /** Answers requests in place of the network, where the run was given one: in tests. */
  readonly upstream: Upstream | undefined;
  /** A record begins here; undefined where nobody traces it. Whoever begins ends. */
  beginSpan(lineage: Lineage): RecordSpan | undefined;
  /** Of a resumed run: what earlier lives have done here. */
  readonly past: TaskPast | undefined;
  /** Where heavy work is done: inline or in threads, as the run was told. Threads start when they are first needed. */
  readonly executor: Executor;
  /** Says why this run cannot be resumed, where that shows only while it runs: no more checkpoints are made. */
  cannotResume(reason: string): void;
  /** Whether sources were asked to stop early: a partial aggregate would be a wrong answer. */
  readonly isDraining: boolean;
  /**
   * Applies the task's failure policy: the fallback value, or `GONE` after the dead letter or skip was counted.
   * Throws the error of the run where the policy is `fail`.
   */
  giveUp(failure: Failure): unknown;
  /** Counts a record that ends on purpose. Returns `GONE`. */
  skip(reason: string): Gone;
  /** Tells whoever watches the run something, in one sentence. */
  notice(message: string): void;
  /** Tells whoever watches the run about the upstream this task calls. */
  tell(news: CallNews): void;
  /**
   * Adds one sample of how long a record took, in milliseconds; `lineage` where it is the time of that record and not a
   * mean over several.
   */
  sampleLatency(elapsedMs: number, lineage?: Lineage): void;
  /** Adds one sample of how long a record waited from its arrival to its start, in milliseconds. */
  sampleQueueing(elapsedMs: number): void;
  /** How to tell how many records of an input wait for their partners. */
  watchEdges(waitingAt: (input: number) => number): void;
  /** Holds roots back while it is true, e.g. because dead letters cannot be written as fast as they come. */
  readonly isHeldBack: boolean;
  /** Calls back when roots may go on after having been held back. */
  whenReleased(listener: () => void): void;
  /** Calls back when the task should end as if its input were over: a source that drains, or nobody wants what it gives. */
  whenEnding(listener: () => void): void;
  /** The run does not finish before this work has; what it throws fails the run. */
  track(work: Promise<unknown>): void;
  /** How to tell what this part waits for, for a stall report; undefined while it waits for nothing. */
  explain(waitingFor: () => Waiting | undefined): void;
}

/** What a part of a run waits for. */
export interface Waiting {
  readonly lineage: Lineage;
  /** The dependencies that have not delivered. */
  readonly for: readonly string[];
}
