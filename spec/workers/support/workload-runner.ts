/** A client of an executor for specs: hands over records, and keeps what came back in the order of the records. */
import type {
  Chunk,
  ChunkResult,
  Executor,
  Workload,
  WorkloadClient,
  WorkloadOptions,
} from '#lib/execution/executor.js';
import { homeOf } from '#lib/execution/thread-function.js';

export interface Outcome {
  readonly record: unknown;
  readonly output?: unknown;
  readonly skip?: string;
  readonly error?: unknown;
  readonly isFailed?: boolean;
  readonly member?: number;
  readonly attempts?: number;
  readonly given?: unknown;
}

export interface WorkloadRun {
  /** One a record, in input order. */
  readonly outcomes: readonly Outcome[];
  /** How many records each chunk had. */
  readonly chunkSizes: readonly number[];
  /** How often each record was answered. */
  readonly answers: readonly number[];
  readonly between: readonly unknown[];
}

export interface RunWorkloadOptions extends Partial<WorkloadOptions> {
  readonly timeoutMs?: number;
  readonly wantsBetween?: boolean;
  /** Called with each record that is answered. */
  readonly onAnswer?: (record: unknown) => void;
}

/** Runs tagged functions over records and resolves when every record was answered. */
export function runWorkload(
  executor: Executor,
  works: readonly object[],
  records: readonly unknown[],
  options: RunWorkloadOptions = {},
): Promise<WorkloadRun> {
  const workload: Workload = {
    kind: 'map',
    runId: 'spec',
    seed: 1,
    members: works.map((work, member) => ({ task: `task ${member}`, ref: refOf(work) })),
    timeoutMs: options.timeoutMs,
  };
  return new Promise((resolve, reject) => {
    const client = new Collector(records, options, resolve, reject);
    const port = executor.open(workload, client, { maxChunk: options.maxChunk ?? 256, transfer: options.transfer });
    client.begin(() => {
      port.close();
    });
    port.wake();
  });
}

export function refOf(work: object): { module: string; export: string; args?: unknown } {
  const home = homeOf(work);
  if (home === undefined) throw new Error('not tagged');
  return home.ref;
}

class Collector implements WorkloadClient {
  readonly wantsBetween: boolean;
  readonly isInputOver = true;
  private readonly onAnswer: (record: unknown) => void;
  private readonly records: readonly unknown[];
  private readonly outcomes: Outcome[] = [];
  private readonly answers: number[];
  private readonly chunkSizes: number[] = [];
  private readonly between: unknown[] = [];
  private readonly resolve: (run: WorkloadRun) => void;
  private readonly reject: (error: unknown) => void;
  private close: () => void = () => undefined;
  private pulled = 0;
  private answered = 0;

  constructor(
    records: readonly unknown[],
    { wantsBetween = false, onAnswer = () => undefined }: RunWorkloadOptions,
    resolve: (run: WorkloadRun) => void,
    reject: (error: unknown) => void,
  ) {
    this.records = records;
    this.wantsBetween = wantsBetween;
    this.onAnswer = onAnswer;
    this.answers = records.map(() => 0);
    this.resolve = resolve;
    this.reject = reject;
  }

  begin(close: () => void): void {
    this.close = close;
  }

  get queued(): number {
    return this.records.length - this.pulled;
  }

  pull(max: number): Chunk | undefined {
    const records = this.records.slice(this.pulled, this.pulled + max);
    if (records.length === 0) return undefined;
    const from = this.pulled;
    this.pulled += records.length;
    return { from, lineages: records.map((_, index) => from + index), records };
  }

  deliver(chunk: Chunk, { outputs, endings, between }: ChunkResult): void {
    this.chunkSizes.push(chunk.records.length);
    if (between !== undefined) this.between.push(...between.flat());
    chunk.records.forEach((record, index) => {
      const at = chunk.from + index;
      this.answers[at] = (this.answers[at] ?? 0) + 1;
      this.outcomes[at] = { record, output: outputs[index] };
      this.onAnswer(record);
    });
    for (const { index, skip, error, member, attempts, ...rest } of endings) {
      const record = chunk.records[index];
      const given = 'record' in rest ? { given: rest.record } : {};
      this.outcomes[chunk.from + index] =
        skip === undefined
          ? { record, error, isFailed: true, member, ...(attempts === undefined ? {} : { attempts }), ...given }
          : { record, skip, member, ...given };
    }
    this.answered += chunk.records.length;
    if (this.answered < this.records.length) return;
    this.close();
    const { outcomes, answers, chunkSizes, between: made } = this;
    this.resolve({ outcomes, answers, chunkSizes, between: made });
  }

  fail(error: unknown): void {
    this.close();
    this.reject(error);
  }
}
