/**
 * One open workload and its records, on the side of the operator that owns them. Every operator that submits work to an
 * executor uses this client, so the way of a record to a thread and back is described once:
 *
 * 1. The owner has records that wait, and calls `wake`.
 * 2. The executor has room and calls `pull`. The owner hands over a chunk (`next`), whose records are now `running`.
 * 3. The executor answers each record once, in parts of the chunk of any size and order: also a record that was
 *    refused, that exceeded its time limit, or that ended its thread. The owner accepts the answer (`settle`).
 * 4. After the last record of the input was answered, the owner ends (`end`).
 *
 * Guarantees: two chunks per thread fit into the window, so no thread waits for records that another one holds. `end`
 * is called once. After `close`, and after an error, the owner is not called again.
 */
import type {
  Chunk,
  ChunkResult,
  Executor,
  Workload,
  WorkloadClient,
  WorkloadOptions,
  WorkloadPort,
  PlacedStates,
} from './executor.js';

/** The operator that owns the records of a workload. */
export interface WorkloadOwner {
  /** The number of records that wait. */
  readonly queued: number;
  /** See `WorkloadClient.wantsBetween`. */
  readonly wantsBetween?: boolean;
  /** See `WorkloadClient.states`. */
  states?(): PlacedStates;
  /**
   * Hands over 1 to `max` records, with `from` as the number of the first; undefined if none wait or none may start.
   */
  next(max: number, from: number): Chunk | undefined;
  /** Accepts the answer to a chunk. An error that it throws goes to `fail`. */
  settle(chunk: Chunk, result: ChunkResult): void;
  /** Called when the input is over and every record was answered. */
  end(): void;
  /** Accepts an error that belongs to no single record. */
  fail(error: unknown): void;
}

export interface OpenWorkloadOptions extends Pick<WorkloadOptions, 'transfer'> {
  /** The most records that wait and run together. */
  readonly window: number;
}

/** The maximum number of records per message. More records bring no measurable gain. */
const MAX_CHUNK = 1024;

export class OpenWorkload implements WorkloadClient {
  readonly port: WorkloadPort;
  /** The number of records that the executor has. */
  running = 0;
  isInputOver = false;
  private readonly owner: WorkloadOwner;
  private handedOver = 0;
  private isOver = false;

  constructor(executor: Executor, workload: Workload, owner: WorkloadOwner, { window, transfer }: OpenWorkloadOptions) {
    this.owner = owner;
    const share = Math.floor(window / (2 * Math.max(1, executor.size)));
    this.port = executor.open(workload, this, { maxChunk: Math.max(1, Math.min(MAX_CHUNK, share)), transfer });
  }

  get queued(): number {
    return this.owner.queued;
  }

  get wantsBetween(): boolean {
    return this.owner.wantsBetween ?? false;
  }

  states(): PlacedStates {
    return this.owner.states?.() ?? { places: [], states: [] };
  }

  /** Reports that records wait. */
  wake(): void {
    this.port.wake();
  }

  /** Reports that no more records will wait. */
  endInput(): void {
    this.isInputOver = true;
    this.endIfDone();
  }

  /** Ends the workload. The answers to its records are no longer wanted. */
  close(): void {
    this.isOver = true;
    this.port.close();
  }

  pull(max: number): Chunk | undefined {
    const chunk = this.owner.next(max, this.handedOver);
    // The last records may have ended before they were handed over.
    if (chunk === undefined) this.endIfDone();
    else {
      this.handedOver += chunk.records.length;
      this.running += chunk.records.length;
    }
    return chunk;
  }

  deliver(chunk: Chunk, result: ChunkResult): void {
    if (this.isOver) return;
    try {
      this.running -= chunk.records.length;
      this.owner.settle(chunk, result);
      this.endIfDone();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.fail(error);
  }

  private endIfDone(): void {
    if (this.isOver || !this.isInputOver || this.running > 0 || this.owner.queued > 0) return;
    this.isOver = true;
    this.owner.end();
  }
}
