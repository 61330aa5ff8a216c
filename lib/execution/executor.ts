/**
 * The port to heavy work, which runs inline or in threads. A task names a module with the work; the executor decides
 * where to run it.
 *
 * Contract: an executor requests records from its client when it has room for them (`pull`), and answers each of them
 * exactly once (`deliver`), in chunks of any size and order, but never during a call of `pull`. After `close` of a port
 * its client is not called again. An error that concerns no single record goes to `fail`, once.
 * `spec/contracts/executor.contract.ts` tests every executor against this contract.
 */
import type { Lineage } from '../model/record.js';
import type { ExecutorStats } from '../model/thread-stats.js';

/** A reference to a function, an aggregate or a stream: an export of a module. It survives structured cloning. */
export interface ModuleRef {
  /** The URL of an ES module. */
  readonly module: string;
  /** The name of the export. */
  readonly export: string;
  /**
   * If present, the export is a factory, called with this value once per thread. It must survive structured cloning.
   */
  readonly args?: unknown;
}

/** A sequence of records that travels together. */
export interface Chunk {
  /** The number of the first record in the order of the client. The others are consecutive. */
  readonly from: number;
  readonly lineages: readonly Lineage[];
  readonly records: readonly unknown[];
  /**
   * For a workload that keeps state: per record, the number of its place in the state. The client assigns these
   * numbers.
   */
  readonly places?: readonly number[] | undefined;
  /**
   * For a keyed workload: places whose states are no longer needed. No record of this chunk or a later one has such a
   * place.
   */
  readonly forgotten?: readonly number[] | undefined;
  /** For a keyed workload: states that the thread needs for these records, unless it has newer ones. */
  readonly seeds?: PlacedStates | undefined;
}

/** One function in a chain of functions, and its task. */
export interface HopWork {
  readonly task: string;
  readonly ref: ModuleRef;
  /** An export of the same module: `(output) => Transferable[]`, the parts that move back instead of being copied. */
  readonly transferExport?: string | undefined;
}

interface WorkloadHead {
  readonly runId: string;
  /** The time limit per record in milliseconds; undefined means none. Only a thread can be stopped at its limit. */
  readonly timeoutMs?: number | undefined;
}

/** Functions that are applied to each record, one after the other. */
export interface MapWorkload extends WorkloadHead {
  readonly kind: 'map';
  /** The seed of the functions' randomness; a record gets the same numbers wherever it runs. */
  readonly seed: number;
  /** At least one. */
  readonly members: readonly HopWork[];
}

/**
 * `init` and `add` of an aggregate over the records of each chunk. Its `outputs` are pairs of key and partial state.
 */
export interface FoldWorkload extends WorkloadHead {
  readonly kind: 'fold';
  readonly task: string;
  readonly ref: ModuleRef;
}

/**
 * A fold that keeps its state where it runs, over all its chunks, and returns its results through `collect`. A thread
 * that dies loses the state, so its death fails the workload.
 */
export interface PartitionWorkload extends WorkloadHead {
  readonly kind: 'partition';
  readonly task: string;
  readonly ref: ModuleRef;
  /** Workloads with equal numbers run in the same thread. */
  readonly partition: number;
  readonly maxKeys: number;
}

/**
 * A state per key, in the thread that owns the partition of the key. The places of the records name their keys. Records
 * of a partition are processed in order. Each answer contains the states that it has changed, so the client can hand
 * them to another thread (`WorkloadClient.states`) when this one dies.
 */
export interface KeyedWorkload extends WorkloadHead {
  readonly kind: 'keyed';
  readonly task: string;
  readonly ref: ModuleRef;
  /** The functions of the export: `step` of a `Stateful`, or `add` of an `Aggregate`. */
  readonly as: 'stateful' | 'aggregate';
  /** The seed of the random numbers of `step`. A record gets the same numbers in every thread. */
  readonly seed: number;
  /** Workloads with equal numbers run in the same thread. */
  readonly partition: number;
}

export type Workload = MapWorkload | FoldWorkload | PartitionWorkload | KeyedWorkload;

/** The states of a keyed workload, by their places. */
export interface PlacedStates {
  readonly places: readonly number[];
  readonly states: readonly unknown[];
}

/** A record that ended without output. */
export interface Ending {
  /** The position of the record in its chunk. */
  readonly index: number;
  /** The member that ended it. */
  readonly member: number;
  /** The reason, if the record was skipped. */
  readonly skip?: string;
  /** The thrown value, if the record failed. It may be undefined, so test `skip` instead. */
  readonly error?: unknown;
  /** The input of the member, if that is not the record of the chunk. */
  readonly record?: unknown;
  /** The number of tries, if more than one. */
  readonly attempts?: number;
}

/** The answer to a chunk. */
export interface ChunkResult {
  /**
   * For a map or `step`: one output per record, undefined if the record ended. For a fold: pairs of key and state.
   * Otherwise empty.
   */
  readonly outputs: readonly unknown[];
  /** For a keyed workload: the states that the records have changed. */
  readonly changed?: PlacedStates | undefined;
  /** Ascending by member, then by index. */
  readonly endings: readonly Ending[];
  /** The outputs of the members before the last, if the client asked for them. */
  readonly between?: readonly (readonly unknown[])[] | undefined;
  /** The duration of each member in milliseconds; empty if unknown. */
  readonly elapsedMs: readonly number[];
}

/** The owner of the records of a workload. */
export interface WorkloadClient {
  /** The number of records that wait for an executor. */
  readonly queued: number;
  /** Whether the client also needs the outputs of the members before the last. */
  readonly wantsBetween?: boolean;
  /** Whether no further records will arrive; undefined if the client does not know. */
  readonly isInputOver?: boolean;
  /** For a keyed workload: the states after all chunks that were answered, for a thread that has none. */
  states?(): PlacedStates;
  /** Hands over 1 to `max` records; undefined if none wait. */
  pull(max: number): Chunk | undefined;
  /** Accepts the results of a chunk. */
  deliver(chunk: Chunk, result: ChunkResult): void;
  /** Accepts an error that ends the whole workload. */
  fail(error: unknown): void;
}

export interface WorkloadOptions {
  /** The most records in one chunk. */
  readonly maxChunk: number;
  /**
   * The parts of a record that are moved instead of copied. Such records travel alone, because they cannot be sent
   * twice.
   */
  readonly transfer?: ((record: never) => readonly object[]) | undefined;
}

/** An open workload. */
export interface WorkloadPort {
  /** Reports to the executor that records wait. */
  wake(): void;
  /** The results of a partition workload, sorted by `from`. Call it once all its chunks were delivered. */
  collect(): ItemReader<Collected>;
  close(): void;
}

/** One result of a partition: the number of the first record of its key, and the output of `finish`. */
export interface Collected {
  /** The number of the first record of the key. */
  readonly from: number;
  /** The output, unless the result is a skip or a failure. */
  readonly output?: unknown;
  /** The reason, if `finish` returned a skip. */
  readonly skip?: string;
  /** The key and the error, if `finish` threw. */
  readonly failure?: { readonly error: unknown; readonly key: unknown };
}

/**
 * Items that arrive in batches. At most one `read` at a time; `null` is the end; `read` rejects if the workload failed.
 */
export interface ItemReader<T> {
  /** The next items; null at the end. */
  read(): Promise<readonly T[] | null>;
  /** Ends the reading early. */
  close(): void;
}

/** The kinds of exports that a module can provide. */
export type ExportKind = 'function' | 'aggregate' | 'stateful';

/** Limits per thread, in MiB. Exceeding one ends the thread, not the process. Buffers do not count. Default: Node's. */
export interface ThreadLimits {
  /** The old generation of the heap: Node's `maxOldGenerationSizeMb`. */
  readonly heapMb?: number;
  /** The young generation of the heap: Node's `maxYoungGenerationSizeMb`. */
  readonly youngHeapMb?: number;
  /** Memory for compiled code: Node's `codeRangeSizeMb`. */
  readonly codeMb?: number;
  /** The stack: Node's `stackSizeMb`. */
  readonly stackMb?: number;
}

/**
 * Does heavy work, inline or in threads. It answers each record that it requested exactly once, in chunks of any size
 * and order. An error that concerns no single record fails its workload.
 */
export interface Executor {
  /** The most threads; 0 means inline. */
  readonly size: number;
  /** Loads the module and checks the export. Rejects with MILLRACE_INVALID_OPTION or the error of the module. */
  check(ref: ModuleRef, as: ExportKind): Promise<void>;
  /** Opens a workload. The executor then requests records from `client` whenever it has room for them. */
  open(workload: Workload, client: WorkloadClient, options: WorkloadOptions): WorkloadPort;
  /**
   * Calls an export with `ref.args` and delivers the items of the iterable or async iterable that it returns. It reads
   * at most a few batches ahead of `read`.
   */
  stream(ref: ModuleRef): ItemReader<unknown>;
  /** The present figures. */
  stats(): ExecutorStats;
  /** Ends every thread, including busy ones. Resolves when none is left. */
  close(): Promise<void>;
}
