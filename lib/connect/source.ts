/**
 * The interface of a source: a place outside of the run that records are read from.
 *
 * Guarantees: the engine calls `open` at most once per run, reads only after it, and never more than there is room for;
 * `settled` is called only for records that are in a durable checkpoint; `close` is called once after `open` was called,
 * also where `open` failed, and last.
 */
import type { Json } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import type { Awaitable, RunOutcome } from '../model/ports.js';
import type { Lineage, Rejected, Skip } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import type { FoldedParts, FoldRequest } from '../tasks/source-parts.js';
import type { SourcePosition } from '../tasks/source-task.js';
import type { FoundRecord } from '../tasks/task.js';
import type { ConnectorContext } from './context.js';

/** What a resumed run knows about a source. */
export interface SourcePast {
  /** The last position that the checkpoint kept; undefined where the source gave none. */
  readonly position: SourcePosition | undefined;
  /** The number of the first record that the run needs. Every record before it has settled. */
  readonly from: Lineage;
}

/** Records that were read together, in their order. */
export interface SourceRead<Out> {
  /**
   * 1 to `max` of them. `skip(reason)` stands for an input that is no record, and `new Rejected(input, error)` for one that
   * could not be made a record: it ends by the failure policy. The engine does not change the array, and neither may the
   * source afterwards.
   */
  readonly records: readonly (Out | Skip | Rejected)[];
  /**
   * A place to read on from in a later life: at the record after these, or before it. Its `lineage` is the number of the
   * first record read from there. Default: a resumed run reads over what it has had.
   */
  readonly position?: SourcePosition;
}

/** One partition of a source: its records have consecutive numbers. */
export interface SourcePartition<Out> {
  /** Which partition of the source it is. Today a source has one, 0. */
  readonly partition: number;
  /**
   * The number of the first record that `read` gives, at most `past.from`; the engine reads over what comes before it.
   * Default 0. Not used where the source is not replayable: its records get new numbers.
   */
  readonly from?: Lineage;
  /**
   * Gives the next records, now or later, or null when there are no more. Never called before the last read is over. A
   * throw fails the run. May wait as long as nothing arrives, but not longer than `context.signal` or `close`.
   */
  read(max: number): Awaitable<SourceRead<Out> | null>;
  /** How much of what there is has been read, 0 to 1; undefined where that is unknown. */
  share?(): number | undefined;
  /**
   * Called once when nothing more is read: at the end, when the run drains, is cancelled or fails, also while a read is
   * outstanding. What that read gives is dropped. `settled` may still be called.
   */
  close?(): Awaitable<void>;
}

/** How far one partition of a source has settled. */
export interface PartitionProgress {
  /** The partition. */
  readonly partition: number;
  /** Every record with a number below this one has settled. */
  readonly watermark: Lineage;
  /** The numbers above the watermark that have settled, as flat ranges: [from, to) pairs, ascending. */
  readonly done: readonly number[];
}

/** Something that records are read from: `connectorSource` makes a task of it. One object belongs to one run at a time. */
export interface Source<Out> {
  /** What the task is called in `graph` and `list`. Default 'source'. */
  readonly kind?: string;
  /** What is read, for lineage events. */
  readonly dataset?: Dataset | undefined;
  /**
   * Whether it gives the same records with the same numbers each time it is read, so that a resumed run can read it again.
   * False for a queue. Default true.
   */
  readonly isReplayable?: boolean;
  /** Whether it gives work to `context.executor`: the run then has threads. Default false. */
  readonly usesThreads?: boolean;
  /** The files it reads. Default: that of `dataset`, where its namespace is `file`. */
  files?(): readonly TouchedFile[];
  /** What is read, as plain data that differs when the input does; a resumed run refuses another input. */
  identify?(): Awaitable<Json>;
  /** The records with this value in them, for `why`. */
  find?(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord>;
  /**
   * Gets ready before the first read and returns the partitions. `past` is undefined in the first life of a run. What it
   * throws fails the run.
   */
  open(context: ConnectorContext, past: SourcePast | undefined): Awaitable<readonly SourcePartition<Out>[]>;
  /**
   * Called after each checkpoint has become durable and every sink has committed it, so the records may be acknowledged.
   * Progress never goes back within a life, and a resumed run repeats it. A run without checkpoints calls it once, at the end of
   * a run that went well. What it throws fails the run.
   */
  settled?(progress: readonly PartitionProgress[]): Awaitable<void>;
  /** Releases everything; called once with the outcome of the run, after all else. */
  close?(outcome: RunOutcome): Awaitable<void>;
  /**
   * How threads read the source in parts and fold them with the aggregate behind it; the source is then not opened. Undefined
   * where it is not read in parts in this run.
   */
  foldParts?(fold: FoldRequest, context: ConnectorContext): FoldedParts | undefined;
}
