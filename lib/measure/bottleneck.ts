/**
 * Finds the task that keeps a run from being faster.
 *
 * In a closed queueing network (the window fixes how many records are in flight) the station with the highest demand
 * limits the throughput, and its utilization goes to 1 as the window grows (Denning and Buzen, "The Operational
 * Analysis of Queueing Network Models", 1978). The stations here are the places of a task, the event loop, and the pool
 * of threads. Tasks share the last two, so the sum of their use counts, and the task with the largest share is named.
 */
import type { Bottleneck } from '../model/metrics.js';

/** How much one task used of each station in a stretch of time, 0 to 1. */
export interface TaskUse {
  readonly task: string;
  readonly slots: number;
  readonly loop: number;
  readonly pool: number;
}

/** Below this load there is no bottleneck; a name would be noise. */
const LEAST_LOAD = 0.01;
/**
 * From this utilization on, the event loop is the limit even if another station looks fuller. The time between the
 * measured stretches belongs to the loop too, and a busy loop leaves answers waiting, which keeps the places of
 * asynchronous tasks occupied.
 */
const LOOP_IS_FULL = 0.7;

/** @param uses one entry per task; among equals the first wins. */
export function chooseBottleneck(uses: readonly TaskUse[]): Bottleneck | undefined {
  let named: Bottleneck | undefined;
  for (const { task, slots } of uses) if (slots > (named?.load ?? 0)) named = { task, load: slots };
  for (const station of ['pool', 'loop'] as const) {
    const sum = uses.reduce((total, use) => total + use[station], 0);
    const isLimit = station === 'loop' && sum >= LOOP_IS_FULL;
    if (!isLimit && sum <= (named?.load ?? 0)) continue;
    const { task } = uses.reduce((most, use) => (use[station] > most[station] ? use : most));
    named = { task, load: Math.min(1, Math.round(sum * 1000) / 1000) };
  }
  return named !== undefined && named.load >= LEAST_LOAD ? named : undefined;
}
