/**
 * The port to where heavy work is done: inline, or in threads. A task says *what* to do by naming a module, never where.
 *
 * Contract: an executor takes records from its client when it has room for them (`take`) and answers every record it
 * took exactly once (`deliver`), in chunks of any size and order, never from inside of `wake`'s caller's `take`. After
 * `close` of a port its client is not called again. What cannot be blamed on a record goes to `fail`, once.
 * `spec/contracts/executor.contract.ts` holds every executor to this.
 */
import type { Lineage } from '../model/record.js';
import type { ExecutorStats } from '../model/thread-stats.js';

/** Where to find a function, an aggregate or a stream: an export of a module. Survives structured cloning. */
export interface ModuleRef {
  /** The URL of an ES module. */
  readonly module: string;
  /** The name it is exported by. */
  readonly export: string;
  /** Where present, the export is a factory that is called with it once a thread; must survive structured cloning. */
  readonly args?: unknown;
}

/** A run of records that is handed over together. */
export interface Chunk {
  /** The number of the first record in the order of the client; the others follow. */
  readonly from: number;
  readonly lineages: readonly Lineage[];
  readonly records: readonly unknown[];
}

/** One function of a hop, and the task it belongs to. */
export interface Stage {
  readonly task: string;
  readonly ref: ModuleRef;
  /** Another export of the module: `(output) => Transferable[]`, for what is moved instead of copied on the way back. */
  readonly transferExport?: string | undefined;
}

interface JobHead {
  readonly runId: string;
  /** The longest one record may take, in milliseconds; undefined: for ever. Only threads can be stopped. */
  readonly timeoutMs?: number | undefined;
}

/** Functions, one after the other, over each record. */
export interface MapJob extends JobHead {
  readonly kind: 'map';
  /** Of the randomness of its functions: the same for a record wherever it runs. */
  readonly seed: number;
  /** At least one. */
  readonly stages: readonly Stage[];
}

/** `init` and `add` of an aggregate over the records of each chunk; `outputs` are pairs of key and partial state. */
export interface FoldJob extends JobHead {
  readonly kind: 'fold';
  readonly task: string;
  readonly ref: ModuleRef;
}

/**
 * A fold that keeps its state where it runs, over all its chunks, and gives its results by `collect`. A thread that
 * dies takes the state with it, so that is a failure of the job.
 */
export interface PartitionJob extends JobHead {
  readonly kind: 'partition';
  readonly task: string;
  readonly ref: ModuleRef;
  /** Jobs of one number meet in one thread. */
  readonly partition: number;
  readonly maxKeys: number;
}

export type Job = MapJob | FoldJob | PartitionJob;

/** A record that has no output. */
export interface Ending {
  /** Which record of the chunk. */
  readonly index: number;
  /** Which stage ended it. */
  readonly stage: number;
  /** Present where it was skipped. */
  readonly skip?: string;
  /** What was thrown, where it failed; may be undefined, so ask for `skip`. */
  readonly error?: unknown;
  /** What the stage had been given, where that is not the record of the chunk. */
  readonly record?: unknown;
  /** Tries made, where more than one. */
  readonly attempts?: number;
}

export interface ChunkResult {
  /** A map's outputs, one slot a record, undefined where the record ended; a fold's pairs of key and state. */
  readonly outputs: readonly unknown[];
  /** Ascending by stage, then by index. */
  readonly endings: readonly Ending[];
  /** The outputs of the stages before the last, where the client wanted them. */
  readonly between?: readonly (readonly unknown[])[] | undefined;
  /** How long each stage took, in milliseconds; empty where nobody knows. */
  readonly elapsedMs: readonly number[];
}

/** Who has the records. */
export interface JobClient {
  /** How many records wait to be taken. */
  readonly queued: number;
  /** Whether the outputs of the stages before the last are wanted as well. */
  readonly wantsBetween?: boolean;
  /** 1 to `max` records, or undefined where none wait. */
  take(max: number): Chunk | undefined;
  deliver(chunk: Chunk, result: ChunkResult): void;
  /** The job as a whole cannot go on. */
  fail(error: unknown): void;
}

export interface JobOptions {
  /** The most records in one chunk. */
  readonly maxChunk: number;
  /** What of a record is moved instead of copied. Such records travel alone, because they cannot be sent twice. */
  readonly transfer?: ((record: never) => readonly object[]) | undefined;
}

/** An open job. */
export interface JobPort {
  /** Records wait. */
  wake(): void;
  /** The results of a partition job, once all its chunks were delivered: `[first number, key, outcome]`, by first number. */
  collect(): ItemReader<Collected>;
  close(): void;
}

/** One result of a partition: the number of the first record of its key, and what `finish` made of it. */
export interface Collected {
  readonly from: number;
  readonly output?: unknown;
  readonly skip?: string;
  readonly failure?: { readonly error: unknown; readonly key: unknown };
}

/** Items that arrive in batches. At most one `read` at a time; `null` is the end; a read rejects where the job failed. */
export interface ItemReader<T> {
  read(): Promise<readonly T[] | null>;
  close(): void;
}

/** What a module must export to be used as what. */
export type ExportKind = 'function' | 'aggregate';

/** Limits of each thread, in MiB; what goes beyond ends the thread, not the process. Buffers are not counted. Default: Node's. */
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
 * Where heavy work is done, inline or in threads. It answers every record it took exactly once, in
 * chunks of any size and order; what cannot be blamed on a record fails its job.
 */
export interface Executor {
  /** The most threads; 0: inline. */
  readonly size: number;
  /** Loads the module and looks at the export. Rejects with MILLRACE_INVALID_OPTION or what the module threw. */
  check(ref: ModuleRef, as: ExportKind): Promise<void>;
  /** Opens a job, which takes records from `client` as it has room for them. */
  open(job: Job, client: JobClient, options: JobOptions): JobPort;
  /**
   * Runs an export that gives an iterable or async iterable, called with `ref.args`, and hands over what it gives,
   * never more than a few batches ahead of `read`.
   */
  stream(ref: ModuleRef): ItemReader<unknown>;
  /** The figures of this moment. */
  stats(): ExecutorStats;
  /** Ends every thread, also busy ones. Resolves when none is left. */
  close(): Promise<void>;
}
