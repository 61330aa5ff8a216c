/**
 * Measures the resources of the process during a run: memory, processor, event loop, garbage collection.
 *
 * Guarantees: nothing is measured continuously before `watch` or after `rest`; one `look` costs microseconds; the timer
 * of the delay monitor does not keep the process alive. The figures describe the whole process, so concurrent runs in
 * one process report the same figures.
 */
import {
  monitorEventLoopDelay,
  performance,
  PerformanceObserver,
  type IntervalHistogram,
  type PerformanceEntry,
} from 'node:perf_hooks';
import type { ResourceFigures } from '../model/metrics.js';
import type { ResourcePeaks } from '../model/run-summary.js';

/** The sampling interval of the event loop delay, in milliseconds. The monitor cannot see a shorter delay. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

const NO_MEMORY: NodeJS.MemoryUsage = { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };

export class ResourceWatch {
  private readonly startedAtMs = performance.now();
  private readonly startCpu = process.cpuUsage();
  private readonly startLoop = performance.eventLoopUtilization();
  private lastAtMs = this.startedAtMs;
  private lastCpu = this.startCpu;
  private lastLoop = this.startLoop;
  private lastMemory: NodeJS.MemoryUsage = NO_MEMORY;
  private delays: IntervalHistogram | undefined;
  private collections: PerformanceObserver | undefined;
  private gc = { count: 0, ms: 0 };
  private total: { heapUsedBytes: number; eventLoopDelayMs: number; gc: { count: number; ms: number } } | undefined;

  /** Starts the continuous measurements. Does nothing if they are already on. */
  watch(): void {
    if (this.delays !== undefined) return;
    this.delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.delays.enable();
    this.collections = new PerformanceObserver((list) => {
      this.collected(list.getEntries());
    });
    this.collections.observe({ entryTypes: ['gc'] });
    // The first look must not include the time before this call.
    this.lastAtMs = performance.now();
    this.lastCpu = process.cpuUsage();
    this.lastLoop = performance.eventLoopUtilization();
  }

  /** Ends the continuous measurements. */
  rest(): void {
    this.delays?.disable();
    this.collections?.disconnect();
    this.delays = undefined;
    this.collections = undefined;
  }

  /** The figures since the last look. Call only between `watch` and `rest`. */
  look(): ResourceFigures {
    const nowMs = performance.now();
    const elapsedMs = Math.max(1, nowMs - this.lastAtMs);
    const cpu = process.cpuUsage();
    const loop = performance.eventLoopUtilization();
    const memory = (this.lastMemory = memoryOr(this.lastMemory));
    // Entries that are queued but not yet delivered to the observer.
    this.collected(this.collections?.takeRecords() ?? []);
    const { gc } = this;
    const delayMs = this.lookAtDelays();
    const figures = {
      rssBytes: memory.rss,
      heapUsedBytes: memory.heapUsed,
      heapTotalBytes: memory.heapTotal,
      externalBytes: memory.external,
      cpuShare: round((cpu.user - this.lastCpu.user + cpu.system - this.lastCpu.system) / 1000 / elapsedMs),
      eventLoop: {
        utilization: round(performance.eventLoopUtilization(loop, this.lastLoop).utilization),
        delayMs,
      },
      gc: { count: gc.count, ms: round(gc.ms) },
    };
    this.lastAtMs = nowMs;
    this.lastCpu = cpu;
    this.lastLoop = loop;
    this.gc = { count: 0, ms: 0 };
    this.remember(figures);
    return figures;
  }

  /**
   * The peaks and totals since the constructor ran. Heap, delay and collections cover only the time between `watch` and
   * `rest`.
   */
  peaks(): ResourcePeaks {
    const cpu = process.cpuUsage(this.startCpu);
    return {
      rssBytes: process.resourceUsage().maxRSS * 1024,
      eventLoopUtilization: round(performance.eventLoopUtilization(this.startLoop).utilization),
      cpuMs: round((cpu.user + cpu.system) / 1000),
      ...this.total,
    };
  }

  private collected(entries: readonly PerformanceEntry[]): void {
    for (const { duration } of entries) {
      this.gc.count++;
      this.gc.ms += duration;
    }
  }

  private lookAtDelays(): ResourceFigures['eventLoop']['delayMs'] {
    const { delays } = this;
    if (delays === undefined || delays.count === 0) return { p50: 0, p99: 0, max: 0 };
    const over = (ns: number): number => round(Math.max(0, ns / NS_PER_MS - RESOLUTION_MS));
    const delayMs = { p50: over(delays.percentile(50)), p99: over(delays.percentile(99)), max: over(delays.max) };
    delays.reset();
    return delayMs;
  }

  private remember({ heapUsedBytes, eventLoop, gc }: ResourceFigures): void {
    const before = this.total ?? { heapUsedBytes: 0, eventLoopDelayMs: 0, gc: { count: 0, ms: 0 } };
    this.total = {
      heapUsedBytes: Math.max(before.heapUsedBytes, heapUsedBytes),
      eventLoopDelayMs: Math.max(before.eventLoopDelayMs, eventLoop.delayMs.max),
      gc: { count: before.gc.count + gc.count, ms: round(before.gc.ms + gc.ms) },
    };
  }
}

/** The memory of the process; `last` while too many files are open, because the system reports it in a file. */
function memoryOr(last: NodeJS.MemoryUsage): NodeJS.MemoryUsage {
  try {
    return process.memoryUsage();
  } catch {
    return last;
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
