/**
 * The ports: what the engine asks of its surroundings, and what it gives to a task. Everything a task may touch of a
 * run stands here, so a test can run any task with a clock, a seed and a recording store of its own.
 */
import type { TaskAccount } from './account.js';
import type { CallNews } from './call-event.js';
import type { Json } from './checkpoint.js';
import type { Clock } from './clock.js';
import type { Executor } from './executor.js';
import type { Family } from './family.js';
import type { RootLedger } from './ledger.js';
import type { Gone, Lineage } from './record.js';
import type { TouchedFile } from './touched-file.js';
import type { Turn } from './turn.js';
import type { Upstream } from './upstream.js';

export type { Clock } from './clock.js';

/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/** Where a lineage was born: serialisable and unique across processes. */
export interface LineageId {
  readonly root: string;
  readonly partition: number;
  readonly number: Lineage;
}

/** A record that was given up. Times are milliseconds since 1970. */
export interface DeadLetter {
  /** The run that gave it up. */
  readonly runId: string;
  /** The task that gave it up. */
  readonly task: string;
  /** Which record it was, by the root it was born in. */
  readonly lineage: LineageId;
  /** What the task had been given. It may be anything, also what JSON has no word for. */
  readonly record: unknown;
  /** Tries made, at least 1. */
  readonly attempts: number;
  /** Of the last error: its own `code`, or MILLRACE_TASK where it carries none. */
  readonly code: string;
  /** Of the last error. */
  readonly message: string;
  /** When the first try began, where that is known; else when the record was given up. */
  readonly firstAt: number;
  /** When the record was given up. */
  readonly lastAt: number;
}

/**
 * Where dead letters go.
 *
 * Contract: `write` is called in the order the records were given up and never after `close`; it takes the letter at
 * once and may say by `isFull` that sources should wait; `whenReady` calls back once it can take more. `close` resolves
 * when every letter is durable. A store that cannot write rejects `close` and reports through `whenBroken`.
 */
export interface DeadLetterStore {
  /** Takes the letter at once, also while `isFull`; never called after `close`. */
  write(letter: DeadLetter): void;
  /** While true, sources wait. */
  readonly isFull: boolean;
  /** Adds a listener, called each time `isFull` goes back to false. */
  whenReady(listener: () => void): void;
  /** Adds a listener, called when letters can no longer be written: the run fails. */
  whenBroken(listener: (error: unknown) => void): void;
  /** Resolves when every letter is durable; rejects where one could not be written. */
  close(): Promise<void>;
  /** Rejects where letters could not be written, for those who want to know before a run starts; changes nothing. */
  assertWritable?(): Promise<void>;
  /** Where people find the letters, such as a path. */
  readonly location?: string;
  /** The files it writes, where it writes any: no task may read or write them. */
  files?(): readonly TouchedFile[];
  /** Of a store that outlives the process, for checkpoints. */
  readonly durable?: DurableLetters;
}

/** Which record a dead letter is about, and who gave it up. */
export type LetterHead = Pick<DeadLetter, 'task' | 'lineage'>;

/** Dead letters that a resumed run finds as the checkpoint says. */
export interface DurableLetters {
  /** Fixes, when it is called, which letters there are; resolves when they would survive the loss of power. */
  mark(): Promise<Json>;
  /**
   * Goes back to the mark, and leaves out the letters that `keeps` refuses: their records are done again. Resolves with
   * the mark of what is left. Until `commit` the letters can be read by the old mark too, so that the new one can be
   * made safe in between. Without a mark the letters of this run are left out, and nobody else's.
   */
  rewind(mark: Json, keeps: (letter: LetterHead) => boolean, runId: string): Promise<Json>;
  /** The mark that `rewind` gave is in a checkpoint. */
  commit(): Promise<void>;
}

/** What a user's function gets beside the record. */
export interface RecordContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every life of a resumed run. */
  readonly runId: string;
  /** The number of the record, from 0, by its root. */
  readonly lineage: Lineage;
  /** 1 for the first try; those that cost no attempt, because the upstream was busy or down, are counted too. */
  readonly attempt: number;
  /**
   * Aborts when nobody waits for the work any more: the run was cancelled or failed, or the attempt took too long. Its
   * `reason` is the error that says which.
   */
  readonly signal: AbortSignal;
  /** The run's time; use it instead of `Date.now` and a test can set it. */
  now(): number;
  /** The run's seeded randomness, 0 ≤ x < 1. */
  random(): number;
}

/**
 * How a run ended: everything settled; sources were stopped early and the rest settled; it was aborted; it failed.
 */
export type RunOutcome = 'completed' | 'drained' | 'cancelled' | 'failed';

/** What a task gets when it opens and closes. */
export interface TaskContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every life of a resumed run. */
  readonly runId: string;
  /** The time of the run; a test may have given it a virtual one. */
  readonly clock: Clock;
  /** Aborts when the run is cancelled or fails. */
  readonly signal: AbortSignal;
  /** The run's seeded randomness, 0 ≤ x < 1, one sequence for all tasks. */
  random(): number;
}

/** A record that failed for good, as an operator reports it. */
export interface Failure {
  readonly lineage: Lineage;
  readonly record: unknown;
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
  /** Of a source that gives the same records again: how many it gave, counting from the first of all. */
  readonly born: number;
  /** Whether nobody downstream needs the output of this lineage again. */
  isDone(lineage: Lineage): boolean;
  /** Whether a durable task has written the record of this lineage for good. */
  isWritten(lineage: Lineage): boolean;
}

/** Follows single records through the tasks that wait for something, where somebody traces them. */
export interface RecordTracer {
  /** A record begins at a task; undefined for one that is not sampled. */
  begin(task: string, lineage: Lineage): RecordSpan | undefined;
}

/** One record at one task. */
export interface RecordSpan {
  /** What upstreams are told of it (W3C Trace Context, level 1). */
  readonly traceparent: string;
  /** Once, when the record leaves the task; with the error where it was given up. */
  end(attempts: number, error?: { readonly error: unknown }): void;
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
