/**
 * Which task keeps a run from being faster.
 *
 * In a closed queueing network (the window fixes how many records are under way) throughput is limited by the station
 * with the highest demand, and as the window grows that station's use goes to 1 (Denning and Buzen, "The Operational
 * Analysis of Queueing Network Models", 1978). Stations here are a task's own places, the event loop, and the pool of
 * threads; the last two are shared, so what counts is the sum of those who use them, and the one who uses most is named.
 */
import type { Bottleneck } from '../model/metrics.js';

/** How much one task used of each station in a stretch of time, 0 to 1. */
export interface TaskUse {
  readonly task: string;
  readonly slots: number;
  readonly loop: number;
  readonly pool: number;
}

/** Below this nothing is under load, and a name would be noise. */
const LEAST_LOAD = 0.01;
/**
 * From here on the loop is the limit, whatever else looks full: what lies between the stretches that are measured is the
 * loop's as well, and answers that nobody has time to take keep the places of asynchronous tasks taken.
 */
const LOOP_IS_FULL = 0.7;

/** @param uses one per task; of equals the first is named. */
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
