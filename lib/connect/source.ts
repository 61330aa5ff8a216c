/**
 * The interface of a source: a place outside of the run from which records are read.
 *
 * Guarantees: the engine calls `open` at most once per run, reads only after it, and never reads more records than
 * there is room for; each of several partitions may be one read ahead. `settled` is called only for records that are in
 * a durable checkpoint. After `open` was called, also if it failed, `close` is called once, as the last call.
 */
import type { ChannelTime } from '../ledger/channels.js';
import type { Json } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import type { Awaitable, RunOutcome } from '../model/ports.js';
import type { Lineage, Rejected, Skip } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import type { FoldedParts, FoldRequest } from '../tasks/source-parts.js';
import type { SourcePosition } from '../tasks/source-task.js';
import type { FoundRecord } from '../tasks/task.js';
import type { ConnectorContext } from './context.js';

/** The stored progress of one partition of a source, for a resumed run. */
export interface PartitionPast {
  /** The number of the partition. */
  readonly partition: number;
  /** The last position in the checkpoint; undefined if the partition returned none. */
  readonly position: SourcePosition | undefined;
  /** The number of the first record that the run needs. Every record before it has settled. */
  readonly from: Lineage;
}

/** The stored progress of a source, for a resumed run. */
export interface SourcePast {
  /** The last position of partition 0 in the checkpoint; undefined if the source returned none. */
  readonly position: SourcePosition | undefined;
  /** The number of the first record of partition 0 that the run needs. Every record before it has settled. */
  readonly from: Lineage;
  /**
   * The partitions that earlier incarnations have opened, ascending. A partition that is not among them is new. The
   * progress of one that is not opened again is kept for a later incarnation.
   */
  readonly partitions: readonly PartitionPast[];
}

/** Records that were read together, in their order. */
export interface SourceRead<Out> {
  /**
   * 1 to `max` records. `skip(reason)` stands for an input that is not a record, and `new Rejected(input, error)` for
   * an input that could not be converted to a record; the failure policy ends it. The engine does not change the array.
   * The source must not change it afterwards.
   */
  readonly records: readonly (Out | Skip | Rejected)[];
  /**
   * The position from which a later incarnation can continue to read: at the record after these, or before it. Its
   * `lineage` is the number of the first record from there. Default: a resumed run reads the records that it already
   * had and skips them.
   */
  readonly position?: SourcePosition;
  /**
   * The number of each record, for a partition whose numbers have gaps, such as the offsets of a log. They ascend from
   * read to read, and a later incarnation returns each record with the same number. Needs `isPartitioned`. Default:
   * the numbers that follow the last read.
   */
  readonly numbers?: readonly Lineage[];
  /**
   * The channel of each record and the time that the channel had reached with it, for a partition that mixes several
   * channels. Windows of time then use these times in place of `timestamp` for their watermark. Needs `channels` of the
   * partition. Default: each partition is one channel.
   */
  readonly times?: readonly ChannelTime[];
}

/**
 * One partition of a source: its records have numbers of their own, in an order of their own, and settle by themselves.
 * A record is identified by its partition and its number.
 */
export interface SourcePartition<Out> {
  /** The number of the partition, an integer from 0 on. A source without partitions has one, 0. */
  readonly partition: number;
  /**
   * The number of the first record that `read` returns, at most `from` of its past. The engine skips the records before
   * `from` of the past. A new partition of a source with several partitions may begin with any number. Default 0. Not
   * used if the source is not replayable: then its records get new numbers.
   */
  readonly from?: Lineage;
  /** The channels that its reads name in `times`; each may bring records until the partition ends. */
  readonly channels?: readonly string[];
  /**
   * Returns the next records, or a promise of them, or null at the end. It is not called before the last read is over.
   * Several partitions are read at the same time, and each may be one read ahead of the run. An error fails the run. It
   * may wait until records arrive, but must end when `context.signal` aborts or `close` is called.
   */
  read(max: number): Awaitable<SourceRead<Out> | null>;
  /** The share of the partition that has been read, 0 to 1; undefined if it is unknown. */
  share?(): number | undefined;
  /**
   * Called once when no more records are read: at the end of the partition, or when the run drains, is cancelled or
   * fails, also while a read is outstanding. The result of that read is dropped. `settled` may still be called.
   */
  close?(): Awaitable<void>;
}

/** The settled records of one partition of a source. */
export interface PartitionProgress {
  /** The partition. */
  readonly partition: number;
  /** Every record with a number below this one has settled. */
  readonly watermark: Lineage;
  /** The numbers above the watermark that have settled, as flat ranges: [from, to) pairs, ascending. */
  readonly done: readonly number[];
}

/** A place from which records are read. `connectorSource` makes it a task. One object belongs to one run at a time. */
export interface Source<Out> {
  /** The kind of the task in `graph` and `list`. Default 'source'. */
  readonly kind?: string;
  /**
   * The name of the format in which checkpoints store its positions. A run resumes only with the same name. Default ''.
   */
  readonly checkpointFormat?: string;
  /** The dataset that is read, for lineage events. */
  readonly dataset?: Dataset | undefined;
  /**
   * Whether each read returns the same records with the same numbers, so that a resumed run can read the source again.
   * False for a queue. Default true.
   */
  readonly isReplayable?: boolean;
  /**
   * Whether the source may have several partitions, or numbers its records itself. Then its progress is
   * stored per partition from the start, even while it has only one. Default: true if it opens with any partitions
   * other than 0 alone.
   */
  readonly isPartitioned?: boolean;
  /**
   * Whether records may disappear after they have settled, such as those of a topic that is cleaned up. Then boundaries
   * keep their state in the checkpoints of a run, and do not read the source from its beginning again. Default false.
   */
  readonly isTransient?: boolean;
  /** Whether the source uses `context.executor`. Then the run has threads. Default false. */
  readonly usesThreads?: boolean;
  /** The files it reads. Default: that of `dataset`, if its namespace is `file`. */
  files?(): readonly TouchedFile[];
  /** Identifies the input, as plain data that differs when the input differs. A resumed run refuses another input. */
  identify?(): Awaitable<Json>;
  /** Finds the records that contain this value, for `why`. */
  find?(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord>;
  /**
   * Returns the place where the first incarnation of a run begins, as plain data, for a source whose beginning depends
   * on the time, such as "the newest record". Called before `open`, once per run. The first checkpoint contains the
   * result, before any record is read, so a run that dies early begins at the same place again. Needs `isPartitioned`.
   * An error fails the run. Default: nothing to keep.
   */
  start?(context: ConnectorContext): Awaitable<Json | undefined>;
  /**
   * Prepares the source before the first read and returns the partitions, at least one unless there is
   * `nextPartitions`. `past` is undefined in the first incarnation of a run. A later incarnation may open other
   * partitions. An error fails the run.
   *
   * @param start the result of `start` in the first incarnation; undefined if there was none.
   */
  open(
    context: ConnectorContext,
    past: SourcePast | undefined,
    start?: Json,
  ): Awaitable<readonly SourcePartition<Out>[]>;
  /**
   * Returns partitions that have appeared, none of them opened before, or a promise of them; null when there will be no
   * more. Called after `open`, and again when the last call has resolved, until it returns null: the source is not over
   * before. It may wait until partitions appear, but must end when `context.signal` aborts, when the listener of
   * `context.whenEnding` is called, or when `close` is called. A source with this method may open with no partition.
   * Needs `isPartitioned`. An error fails the run. Default: all partitions are those of `open`.
   */
  nextPartitions?(): Awaitable<readonly SourcePartition<Out>[] | null>;
  /**
   * Called when a checkpoint is durable and every sink has committed it, so the records may be acknowledged. `progress`
   * contains each open partition once. Progress never decreases within an incarnation, and a resumed run repeats it. A
   * run without checkpoints calls this once, at its end, if it completed or drained. An error fails the run.
   */
  settled?(progress: readonly PartitionProgress[]): Awaitable<void>;
  /** Releases everything. Called once with the outcome of the run, after all other calls. */
  close?(outcome: RunOutcome): Awaitable<void>;
  /**
   * Describes how threads read the source in parts and fold them with the aggregate downstream; then the source is not
   * opened. Undefined if this run does not read the source in parts.
   */
  foldParts?(fold: FoldRequest, context: ConnectorContext): FoldedParts | undefined;
}
