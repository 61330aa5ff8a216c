/** Measures calls: queueing time and latency, how many are active, and the counts of the summary. */
import { ArrivalTimes } from '../stream/arrival-times.js';
import type { TaskScope } from '../stream/task-scope.js';
import { sampleWeight } from '../measure/sampling.js';
import type { Call } from './call.js';

export class CallMeter {
  readonly counts = { attempts: 0, hedges: 0, retries: 0, timeouts: 0, hedgesWon: 0, hedgesLost: 0, late: 0 };
  /** Calls that have started and have not ended, with or without an attempt in flight. */
  active = 0;
  private readonly scope: TaskScope;
  private readonly arrivals: ArrivalTimes;
  private started = 0;
  private ended = 0;

  /** @param window the most calls at a time. */
  constructor(scope: TaskScope, window: number) {
    this.scope = scope;
    this.arrivals = new ArrivalTimes(window);
  }

  recordArrival(count: number): void {
    this.arrivals.arrive(count, this.scope.clock.monotonicMs());
  }

  /** Call at the first attempt of a call. */
  recordStart(nowMs: number): void {
    const { scope, started } = this;
    this.active++;
    if (started === 0) scope.account.firstAtMs ??= nowMs;
    if (sampleWeight(started) > 0) scope.sampleQueueing(nowMs - this.arrivals.of(started));
    this.started++;
  }

  recordEnd(call: Call<unknown>, nowMs: number): void {
    if (!call.isBegun) return;
    this.active--;
    if (sampleWeight(this.ended++) > 0) this.scope.sampleLatency(nowMs - call.firstAtMs, call.lineage);
  }
}
