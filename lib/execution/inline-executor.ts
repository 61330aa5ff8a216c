/**
 * The executor without threads: runs every workload in the thread of the run, in slices that let the event loop turn.
 *
 * Guarantees: results equal those of threads. Two features need a separate thread and are absent here: time limits per
 * record, and runs that survive a call of `process.exit`.
 */
import { ChunkSizer } from './chunk-sizer.js';
import { holdClock } from '../model/clock.js';
import type {
  Collected,
  Executor,
  ExportKind,
  ItemReader,
  Workload,
  WorkloadClient,
  WorkloadOptions,
  WorkloadPort,
  ModuleRef,
} from './executor.js';
import type { ExecutorStats } from '../model/thread-stats.js';
import { ItemPump } from './item-pump.js';
import { loadChecked, loadStream } from './load-export.js';
import { loadWorkload } from './loaded-workload.js';
import { PROGRESS, type LoadedWorkload } from './running-workload.js';

/** The part of the run's `Turn` that the executor needs. */
export interface Slices {
  isLong(): boolean;
  defer(action: () => void): void;
  /** Holds a manual clock while a module loads. */
  hold?<Work extends PromiseLike<unknown>>(work: Work): Work;
}

export class InlineExecutor implements Executor {
  readonly size = 0;
  private readonly slices: Slices;
  private readonly workloads = new Set<{ readonly queued: number; close(): void }>();

  constructor(slices: Slices) {
    this.slices = slices;
  }

  async check(ref: ModuleRef, as: ExportKind): Promise<void> {
    await holdClock(this.slices, loadChecked(ref, as));
  }

  open(workload: Workload, client: WorkloadClient, options: WorkloadOptions): WorkloadPort {
    const port = new InlinePort(workload, client, options, this.slices, () => this.workloads.delete(port));
    this.workloads.add(port);
    return port;
  }

  stream(ref: ModuleRef): ItemReader<unknown> {
    const pump = new ItemPump(holdClock(this.slices, loadStream(ref)), (action) => {
      this.slices.defer(action);
    });
    this.workloads.add({
      queued: 0,
      close: () => {
        pump.close();
      },
    });
    return pump;
  }

  stats(): ExecutorStats {
    let queued = 0;
    for (const port of this.workloads) queued += port.queued;
    return { size: 0, queued, replaced: 0, threads: [] };
  }

  close(): Promise<void> {
    for (const port of this.workloads) port.close();
    this.workloads.clear();
    return Promise.resolve();
  }
}

class InlinePort implements WorkloadPort {
  private readonly client: WorkloadClient;
  private readonly slices: Slices;
  private readonly sizer: ChunkSizer;
  private readonly onClose: () => void;
  private readonly progress = new Int32Array(PROGRESS.length);
  private loaded: LoadedWorkload | undefined;
  private isWorking = false;
  private isClosed = false;

  constructor(
    workload: Workload,
    client: WorkloadClient,
    { maxChunk }: WorkloadOptions,
    slices: Slices,
    onClose: () => void,
  ) {
    this.client = client;
    this.slices = slices;
    this.onClose = onClose;
    this.sizer = new ChunkSizer(maxChunk);
    holdClock(slices, loadWorkload(workload)).then(
      (loaded) => {
        this.loaded = loaded;
        if (workload.kind === 'keyed' && client.states !== undefined) loaded.restore?.(client.states());
        this.wake();
      },
      (error: unknown) => {
        this.fail(error);
      },
    );
  }

  get queued(): number {
    return this.isClosed ? 0 : this.client.queued;
  }

  wake(): void {
    if (this.isWorking || this.loaded === undefined) return;
    this.isWorking = true;
    this.work(this.loaded);
  }

  collect(): ItemReader<Collected> {
    return new ItemPump(this.loaded?.collect?.() ?? [], (action) => {
      this.slices.defer(action);
    });
  }

  close(): void {
    this.isClosed = true;
    this.onClose();
  }

  private work(loaded: LoadedWorkload): void {
    try {
      while (!this.hasClosed()) {
        const chunk = this.client.pull(this.sizer.size);
        if (chunk === undefined) break;
        const wantsBetween = this.client.wantsBetween ?? false;
        const result = loaded.execute({ chunk, progress: this.progress, wantsBetween });
        this.sizer.measured(sum(result.elapsedMs), chunk.records.length);
        this.client.deliver(chunk, result);
        if (!this.slices.isLong()) continue;
        this.slices.defer(() => {
          this.work(loaded);
        });
        return;
      }
    } catch (error) {
      this.fail(error);
    }
    this.isWorking = false;
  }

  /** A method, because any call of the client may close the port and TypeScript would assume that it does not. */
  private hasClosed(): boolean {
    return this.isClosed;
  }

  private fail(error: unknown): void {
    if (this.isClosed) return;
    this.close();
    this.client.fail(error);
  }
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
