/** What is held to the contract of connectors: a source, a source with several partitions, a sink. */
import type { Sink } from '../../connect/sink.js';
import type { Source } from '../../connect/source.js';
import type { Awaitable } from '../../model/ports.js';

/** One case of the contract. */
export interface ContractCase {
  /** A sentence: what the connector does. */
  readonly name: string;
  /** Rejects where the connector does not do it. */
  run(): Promise<void>;
}

/** A source to be held to the contract. */
export interface SourceSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the source can give such. */
  readonly records: readonly T[];
  /**
   * Puts records where a source can read them, apart from those of other calls; each call of the result makes a new
   * source.
   */
  place(records: readonly T[]): Awaitable<() => Source<T>>;
  /** Makes a source of a place that is not there; `open` or the first `read` must reject. */
  readonly missing?: () => Source<T>;
  /** How many records were read from the last place, for sources that can be watched. */
  readonly recordsRead?: () => number;
}

/** The place of a source with several partitions. */
export interface PartitionedPlace<T> {
  /** Makes a new source, which opens every partition there is; all read the same place. */
  make(): Source<T>;
  /** Adds one partition with the next number. Leave it out if a source of this kind never gets more partitions. */
  grow?(records: readonly T[]): Awaitable<void>;
}

/** A source with several partitions to be held to the contract. */
export interface PartitionedSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the source can give such. */
  readonly records: readonly T[];
  /** Puts the records of partitions 0, 1, … where a source can read them, apart from those of other calls. */
  place(partitions: readonly (readonly T[])[]): Awaitable<PartitionedPlace<T>>;
}

/** One destination, over all incarnations of a run. */
export interface SinkPlace<T> {
  /** Makes the sink of the next incarnation; all write to the same destination. */
  make(): Sink<T, unknown>;
  /** What a reader of the destination sees now: only what is committed, as records in the order of the rows. */
  read(): Awaitable<readonly T[]>;
  /** Stands for the death of the process with this sink in it. Default: the sink is left as it is, and never closed. */
  kill?(sink: Sink<T, unknown>): Awaitable<void>;
}

/** A sink to be held to the contract. */
export interface SinkSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the sink can write such. */
  readonly records: readonly T[];
  /** Makes a new destination, which is empty. */
  place(): Awaitable<SinkPlace<T>>;
}

/** What is held to the contract. */
export interface ContractSubjects<Read, Written> {
  /** The source, if there is one. */
  readonly source?: SourceSubject<Read>;
  /** The source with several partitions, if there is one. A source that may have one or several belongs in both. */
  readonly partitioned?: PartitionedSubject<Read>;
  /** The sink, if there is one. */
  readonly sink?: SinkSubject<Written>;
}
