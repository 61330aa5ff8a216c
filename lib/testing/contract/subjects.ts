/** The subjects of the contract of connectors: a source, a source with several partitions, a sink. */
import type { Sink } from '../../connect/sink.js';
import type { Source } from '../../connect/source.js';
import type { Awaitable } from '../../model/ports.js';

/** One case of the contract. */
export interface ContractCase {
  /** A sentence about the behaviour of the connector. */
  readonly name: string;
  /** Runs the case. Rejects if the connector behaves differently. */
  run(): Promise<void>;
}

/** A source to test by the contract. */
export interface SourceSubject<T> {
  /** At least four records, different from each other; including falsy ones if the source can return them. */
  readonly records: readonly T[];
  /**
   * Puts records where a source can read them, apart from those of other calls; each call of the result makes a new
   * source.
   */
  place(records: readonly T[]): Awaitable<() => Source<T>>;
  /** Makes a source of a place that does not exist; `open` or the first `read` must reject. */
  readonly missing?: () => Source<T>;
  /** The number of records that were read from the last place, for sources that can report it. */
  readonly recordsRead?: () => number;
}

/** The place of a source with several partitions. */
export interface PartitionedPlace<T> {
  /** Makes a new source, which opens every existing partition. All these sources read the same place. */
  make(): Source<T>;
  /** Adds one partition with the next number. Leave it out if a source of this kind never gets more partitions. */
  grow?(records: readonly T[]): Awaitable<void>;
}

/** A source with several partitions to test by the contract. */
export interface PartitionedSubject<T> {
  /** At least four records, different from each other; including falsy ones if the source can return them. */
  readonly records: readonly T[];
  /** Puts the records of partitions 0, 1, … where a source can read them, apart from those of other calls. */
  place(partitions: readonly (readonly T[])[]): Awaitable<PartitionedPlace<T>>;
}

/** One destination, over all incarnations of a run. */
export interface SinkPlace<T> {
  /** Makes the sink of the next incarnation. All these sinks write to the same destination. */
  make(): Sink<T, unknown>;
  /** The rows that a reader of the destination sees now: only committed ones, as records, in the order of the rows. */
  read(): Awaitable<readonly T[]>;
  /** Simulates the death of the process of this sink. Default: the sink is left as it is, and never closed. */
  kill?(sink: Sink<T, unknown>): Awaitable<void>;
}

/** A sink to test by the contract. */
export interface SinkSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the sink can write such. */
  readonly records: readonly T[];
  /** Makes a new destination, which is empty. */
  place(): Awaitable<SinkPlace<T>>;
}

/** The subjects to test by the contract. */
export interface ContractSubjects<Read, Written> {
  /** The source, if there is one. */
  readonly source?: SourceSubject<Read>;
  /** The source with several partitions, if there is one. Pass a source with one or several in both members. */

  readonly partitioned?: PartitionedSubject<Read>;
  /** The sink, if there is one. */
  readonly sink?: SinkSubject<Written>;
}
