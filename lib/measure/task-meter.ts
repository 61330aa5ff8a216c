/**
 * Measures how one task spends its time. It receives changes of state and stretches of work once per batch, never once
 * per record. Its sums only grow, so the difference of two readings is a rate or a share.
 *
 * Three resources can limit a task: the number of records it may work on at once (`slotMs`), the event loop, which all
 * tasks share (`loopMs`), and the threads of the pool, which are shared too (`poolMs`).
 */
import type { InFlight } from '../model/metrics.js';

export type TimeState = 'busy' | 'waiting' | 'blocked';

/** The sums of a meter, in milliseconds. */
export interface MeterSums {
  readonly busyMs: number;
  readonly blockedMs: number;
  /** Time weighted by the share of occupied places; the weight is 1 while records queue for a place. */
  readonly slotMs: number;
  readonly loopMs: number;
  /** The time of all threads together. */
  readonly poolMs: number;
}

export class TaskMeter {
  private busyMs = 0;
  private blockedMs = 0;
  private slotMs = 0;
  private loopMs = 0;
  private poolMs = 0;
  private state: TimeState = 'waiting';
  private slots = 0;
  private sinceMs: number | undefined;

  /** Puts the task into this state, with this share of its places occupied. Times never go back. */
  enter(nowMs: number, state: TimeState, slots: number): void {
    this.pass(nowMs);
    this.state = state;
    this.slots = slots;
  }

  /** Derives the state from the records in flight. */
  hold(nowMs: number, { queued, running, waiting, places }: InFlight): void {
    const state = running > 0 ? 'busy' : queued > 0 || waiting > 0 ? 'blocked' : 'waiting';
    // While no record runs, the queue does not wait for places.
    const slots = places === undefined || running === 0 ? 0 : queued > 0 ? 1 : Math.min(1, running / places);
    this.enter(nowMs, state, slots);
  }

  /** Records a stretch in which the task had the event loop; afterwards it is in its previous state again. */
  worked(fromMs: number, toMs: number): void {
    this.pass(fromMs);
    const elapsedMs = Math.max(0, toMs - (this.sinceMs ?? fromMs));
    this.busyMs += elapsedMs;
    this.loopMs += elapsedMs;
    this.sinceMs = Math.max(toMs, this.sinceMs ?? toMs);
  }

  /** Adds event-loop time that overlapped with another state of the task. */
  looped(elapsedMs: number): void {
    this.busyMs += elapsedMs;
    this.loopMs += elapsedMs;
  }

  /** Adds the time that all threads together worked on its records. */
  pooled(elapsedMs: number): void {
    this.poolMs += elapsedMs;
  }

  look(nowMs: number): MeterSums {
    this.pass(nowMs);
    const { busyMs, blockedMs, slotMs, loopMs, poolMs } = this;
    return { busyMs, blockedMs, slotMs, loopMs, poolMs };
  }

  private pass(nowMs: number): void {
    const elapsedMs = this.sinceMs === undefined ? 0 : nowMs - this.sinceMs;
    if (elapsedMs < 0) return;
    this.sinceMs = nowMs;
    if (this.state === 'waiting') return;
    if (this.state === 'busy') this.busyMs += elapsedMs;
    else this.blockedMs += elapsedMs;
    this.slotMs += elapsedMs * this.slots;
  }
}
