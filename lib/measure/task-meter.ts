/**
 * Where the time of one task goes. Fed with changes of state and with stretches of work, once a batch, never once a
 * record; what it sums up grows only, so a rate or a share is the difference of two looks.
 *
 * A task can be limited by three things: by how many records it may work on at once (`slotMs`), by the event loop, which
 * it shares with all others (`loopMs`), and by the threads of the pool, shared as well (`poolMs`).
 */
import type { InFlight } from '../model/metrics.js';

export type TimeState = 'busy' | 'waiting' | 'blocked';

/** The sums of a meter, in milliseconds. */
export interface MeterSums {
  readonly busyMs: number;
  readonly blockedMs: number;
  /** The time weighted by the share of its places that were taken; 1 while records queue for a place. */
  readonly slotMs: number;
  readonly loopMs: number;
  /** Of all threads together. */
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

  /** From now on the task is in this state, with this share of its places taken. Times never go back. */
  enter(nowMs: number, state: TimeState, slots: number): void {
    this.pass(nowMs);
    this.state = state;
    this.slots = slots;
  }

  /** The same, from what the task holds. */
  hold(nowMs: number, { queued, running, waiting, places }: InFlight): void {
    const state = running > 0 ? 'busy' : queued > 0 || waiting > 0 ? 'blocked' : 'waiting';
    // While none runs it is not the places that hold the queue back.
    const slots = places === undefined || running === 0 ? 0 : queued > 0 ? 1 : Math.min(1, running / places);
    this.enter(nowMs, state, slots);
  }

  /** The task had the event loop for this stretch, and is in the state it was in before again. */
  worked(fromMs: number, toMs: number): void {
    this.pass(fromMs);
    const elapsedMs = Math.max(0, toMs - (this.sinceMs ?? fromMs));
    this.busyMs += elapsedMs;
    this.loopMs += elapsedMs;
    this.sinceMs = Math.max(toMs, this.sinceMs ?? toMs);
  }

  /** The task had the event loop for so long, while it was in another state as well. */
  looped(elapsedMs: number): void {
    this.busyMs += elapsedMs;
    this.loopMs += elapsedMs;
  }

  /** Threads worked on its records for so long, together. */
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
