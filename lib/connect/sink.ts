/**
 * The interface of a sink: a place outside of the run to which records are written.
 *
 * Guarantees: the engine calls `open` once, before everything else but `check`. At most one of `write`, `prepare` and
 * `commit` runs at a time. Nothing is written between `prepare` and its `commit`. `commit` is called only for rows that
 * are in a durable checkpoint. After `open` was called, also if it failed, `close` is called once, as the last call.
 *
 * Duplicate rows: a run that died continues from its last checkpoint, and writes the rows after the checkpoint again. A
 * sink writes exactly once in one of two ways. Either `open` removes the rows written after `past.prepared` (it cuts a
 * file to its length, or aborts a transaction that was not prepared) and commits the prepared ones. Or the sink stores
 * the lineages in the same transaction as the rows, and `open` reports which of them it holds.
 */
import type { Channels } from '../ledger/channels.js';
import type { Json } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import type { Awaitable, LineageId, RunOutcome } from '../model/ports.js';
import type { Lineage } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import type { WriteResult } from '../stream/write-batches.js';
import type { FoundRecord } from '../tasks/task.js';
import type { ConnectorContext } from './context.js';

/** The stored progress of a sink, for a resumed run. */
export interface SinkPast {
  /**
   * The result of `prepare` for the last durable checkpoint; undefined if there is none, or if `isAnew`. It may not
   * have been committed: `open` commits it, also repeatedly, and removes the rows that were written after it.
   */
  readonly prepared: Json | undefined;
  /**
   * True if the records of this incarnation have other numbers than before (after joins by arrival and operators). Then
   * all rows are written again, and the rows of earlier incarnations should be removed if possible.
   */
  readonly isAnew: boolean;
}

/** Rows with the lineages of their records: row `i` belongs to number `i`. */
export interface SinkRows<Row> {
  /** The root of the lineages, the same for all rows of a sink in one run. */
  readonly root: string;
  /**
   * The partition of the lineages, the same for all rows of a call. It is 0 unless the source has several partitions.
   */
  readonly partition: number;
  /** The number of each record. With root and partition it identifies the record in all incarnations of the run. */
  readonly numbers: readonly Lineage[];
  /** One or more; never empty. */
  readonly rows: readonly Row[];
  /**
   * Present only behind a boundary whose state is stored: one name per record, derived from the records that it was
   * made of. After a crash a number may belong to another record, but a name never does. So a sink that stores lineages
   * stores the name instead of the number. A durable checkpoint covers all rows that were written before it, so
   * `prepare` may remove the names that an earlier `prepare` found.
   */
  readonly names?: readonly string[];
}

/** The rows that a store already contained when it was opened. */
export interface StoredRows {
  /**
   * Whether the row of this record is already stored; then it is not written again. Called per record, so it must be
   * fast.
   */
  has(lineage: LineageId): boolean;
}

/** A place to which records are written. `connectorSink` makes it a task. One object belongs to one run at a time. */
export interface Sink<In, Row = In> {
  /** The kind of the task in `graph` and `list`. Default 'sink'. */
  readonly kind?: string;
  /**
   * The name of the format in which checkpoints store its positions. A run resumes only with the same name. Default ''.
   */
  readonly checkpointFormat?: string;
  /**
   * Whether several runs, each with an id of its own, may write to the same place at the same time. Then each process
   * of a workflow that is spread writes its own rows; otherwise one of them writes all rows. Default false.
   */
  readonly isShareable?: boolean;
  /** The dataset that is written, for lineage events. */
  readonly dataset?: Dataset | undefined;
  /** The files it writes, including temporary files. Default: that of `dataset`, if its namespace is `file`. */
  files?(): readonly TouchedFile[];
  /** Finds the records that contain this value, for `why`. */
  find?(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord>;
  /**
   * Called before any task of the run opens, and by `validate`; in a run with rules, before any task of the same phase
   * opens, and by `validate` only for the first phase. Throws if `open` would fail for a reason that can be detected
   * now, such as a missing folder: then no record is read and no upstream is called. Opens and changes nothing.
   *
   * @param prepared the result of `prepare` for the checkpoint from which the run would resume, if it is known.
   */
  check?(prepared?: Json): Awaitable<void>;
  /**
   * Prepares the sink for a run. `past` is undefined in the first incarnation of a run. Returns the rows that the store
   * already holds, if it stores lineages with its rows. An error fails the run.
   */
  open(context: ConnectorContext, past: SinkPast | undefined): Awaitable<StoredRows | undefined>;
  /**
   * Called before `open`, with the streams in which the records of the run arrive. For a sink that keeps order in time.
   */
  follow?(channels: () => Channels): void;
  /**
   * Called before `open` where a carrier keeps the progress of the run in a transaction. A sink that knows this kind of
   * transaction may write its rows within it, and then has nothing to commit.
   */
  enlist?(transaction: object): void;
  /**
   * Makes the row of a record. If it throws, the failure policy ends that record only. Default: the record itself.
   *
   * @param lineage the record in the channels that `follow` received, valid until its row is written.
   */
  encode?(record: In, lineage: Lineage): Row;
  /**
   * Writes rows of one partition. The next call waits until this one has resolved, so a slow sink slows the run down.
   * An error fails the run, because it is unknown which rows were written. A store that refuses single rows and has
   * stored all others returns the refused ones: the failure policy ends their records.
   */
  write(rows: SinkRows<Row>): WriteResult;
  /**
   * Called for each checkpoint; the last checkpoint is then durable. Makes everything written so far durable, so that
   * `commit` cannot fail because of the rows. Returns plain data that identifies these rows, or undefined if there is
   * nothing to commit. Rows that are written after it has resolved belong to the next checkpoint. An error fails the
   * run.
   */
  prepare?(): Awaitable<Json | undefined>;
  /**
   * Called with the result of `prepare` when the checkpoint is durable: makes the rows visible. Must be idempotent: if
   * a run dies before it resolves, the next incarnation calls `open` with the same value. A run without checkpoints
   * prepares and commits once, at its end, if it completed or drained. An error fails the run.
   */
  commit?(prepared: Json): Awaitable<void>;
  /**
   * Releases everything. Called once with the outcome of the run. After 'completed' everything was committed; a result
   * that appears as a whole, such as a file, gets its final name here. After any other outcome, discard the rows that
   * were not prepared, and keep those that were prepared but not committed, because a later incarnation may have to
   * commit them.
   */
  close?(outcome: RunOutcome): Awaitable<void>;
}
