/**
 * The interface of a sink: a place outside of the run that records are written to.
 *
 * Guarantees: the engine calls `open` once before everything else; at most one of `write`, `prepare` and `commit` is under
 * way at a time; between `prepare` and its `commit` nothing is written; `commit` is called only for what is in a durable
 * checkpoint; `close` is called once after `open` was called, also where `open` failed, and last.
 *
 * What is written twice, and by whom: a run that died goes on from its last checkpoint, and writes again what came after
 * it. A sink is exactly once in one of two ways. Either it takes back, on `open`, what was written after `past.prepared` (a
 * file is cut to its length; a transaction that was not prepared is aborted), and commits what was prepared. Or it keeps the
 * lineages in the same transaction as the rows, and reports on `open` which of them it holds.
 */
import type { Json } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import type { Awaitable, LineageId, RunOutcome } from '../model/ports.js';
import type { Lineage } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import type { FoundRecord } from '../tasks/task.js';
import type { ConnectorContext } from './context.js';

/** What a resumed run knows about a sink. */
export interface SinkPast {
  /**
   * What `prepare` returned for the last durable checkpoint. It may not have been committed: `open` commits it, however
   * often it is asked, and takes back what was written after it.
   */
  readonly prepared: Json | undefined;
  /**
   * True where the records of this life have other numbers than before (behind joins by arrival and operators): everything is
   * written again, and what earlier lives wrote should be taken back where that is possible.
   */
  readonly isAnew: boolean;
}

/** Rows with the lineages of their records: row `i` is that of number `i`. */
export interface SinkRows<Row> {
  /** The root of the lineages, the same for all rows of a sink in one run. */
  readonly root: string;
  /** The partition of the lineages. */
  readonly partition: number;
  /** The number of each record: with root and partition it identifies the record in all lives of the run. */
  readonly numbers: readonly Lineage[];
  /** One or more; never empty. */
  readonly rows: readonly Row[];
}

/** What a store found when it was opened. */
export interface SinkHoldings {
  /** Whether the row of this record is stored already; it is then not written again. Must be quick: asked per record. */
  holds(lineage: LineageId): boolean;
}

/** Something that records are written to: `connectorSink` makes a task of it. One object belongs to one run at a time. */
export interface Sink<In, Row = In> {
  /** What the task is called in `graph` and `list`. Default 'sink'. */
  readonly kind?: string;
  /** What is written, for lineage events. */
  readonly dataset?: Dataset | undefined;
  /** The files it writes, those on the way to the result included. Default: that of `dataset`, where its namespace is `file`. */
  files?(): readonly TouchedFile[];
  /** The records with this value in them, for `why`. */
  find?(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord>;
  /**
   * Gets ready. `past` is undefined in the first life of a run. Returns what the store holds already, where it keeps lineages
   * with its rows. What it throws fails the run.
   */
  open(context: ConnectorContext, past: SinkPast | undefined): Awaitable<SinkHoldings | undefined>;
  /** Makes the row of a record. A throw ends that record alone, by the failure policy. Default: the record itself. */
  encode?(record: In): Row;
  /**
   * Writes rows; the next call waits until this one has resolved, and what is returned slowly holds the run back. A throw
   * fails the run, because it is unknown what was written.
   */
  write(rows: SinkRows<Row>): Awaitable<void>;
  /**
   * Called at the moment of a checkpoint: makes everything written so far durable, so that `commit` cannot fail any more for
   * a reason that lies in the rows, and returns what identifies it, as plain data; undefined where nothing is to be
   * committed. After it resolved, rows belong to the next checkpoint. What it throws fails the run.
   */
  prepare?(): Awaitable<Json | undefined>;
  /**
   * Called with what `prepare` returned after the checkpoint has become durable: makes the rows visible. Idempotent: a run
   * that dies before it resolved calls `open` with the same value. A run without checkpoints prepares and commits once, at
   * the end of a run that went well. What it throws fails the run.
   */
  commit?(prepared: Json): Awaitable<void>;
  /**
   * Releases everything; called once with the outcome of the run. 'completed': everything was committed; a result that
   * appears at once, such as a file, gets its name. Otherwise, the abort path: discard rows that were not prepared, and keep
   * what was prepared and not committed, because a later life may have to commit it.
   */
  close?(outcome: RunOutcome): Awaitable<void>;
}
