/**
 * The world of one seed: its time, its randomness, the lives that work in it, what went wrong on purpose, and what went
 * wrong against a law. Promise: everything in it is decided by the seed, so a seed that fails fails again.
 */
import { seededRandom } from 'millrace';
import { virtualClock, type VirtualClock } from 'millrace/testing';
import { Life } from './life.js';

/** A broken law: the seed has failed. */
export class Violation extends Error {}

/** What is planned to happen to one life. */
export interface Fate {
  /** Dies at this operation on the disk, before or after its effect. */
  readonly diesAt?: { readonly operation: number; readonly isAfter: boolean };
  readonly diesAtMs?: number;
  /** With the machine: what was not synced is lost. */
  readonly isPowerLoss: boolean;
  /** The write on the disk for which there is no room; part of it is written. */
  readonly fullAt?: number;
  /** Somebody stops the run, in one of the two ways there are. */
  readonly isStopped?: { readonly how: 'cancel' | 'drain'; readonly atMs: number };
  /** From then on another life works on the run, while this one lives on. */
  readonly isTakenOverAtMs?: number;
}

/** More steps than any seed needs. */
const MOST_STEPS = 100_000;

export class World {
  readonly seed: number;
  readonly clock: VirtualClock = virtualClock(1_000_000);
  readonly random: () => number;
  readonly faults = new Map<string, number>();
  readonly lives: Life[] = [];
  /** Asked before every step of a life: whether the laws hold. */
  look: (life: Life) => void = () => undefined;
  violation: Violation | undefined;
  private steps = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = seededRandom(seed ^ 0x51ab1e);
  }

  get present(): Life | undefined {
    return this.lives.at(-1);
  }

  begin(fate: Fate): Life {
    const life = new Life(this, this.lives.length + 1, fate);
    this.lives.push(life);
    return life;
  }

  /** One step of a life. */
  step(life: Life): void {
    if (++this.steps > MOST_STEPS) this.broken(`L11: life ${life.number} does not come to an end`);
    this.look(life);
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  /** A law does not hold: nothing of this seed goes on. */
  broken(what: string): void {
    this.violation ??= new Violation(what);
    for (const life of this.lives) life.die();
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
