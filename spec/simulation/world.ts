/**
 * The world of one seed: its time, its randomness, the incarnations that work in it, what went wrong on purpose, and
 * what went wrong against a law. Promise: everything in it is decided by the seed, so a seed that fails fails again.
 */
import { seededRandom } from 'millrace';
import { virtualClock, type VirtualClock } from 'millrace/testing';
import { Incarnation } from './incarnation.js';

/** A broken law: the seed has failed. */
export class Violation extends Error {}

/** What is planned to happen to one incarnation. */
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
  /** From then on another incarnation works on the run, while this one incarnations on. */
  readonly isTakenOverAtMs?: number;
}

/** More steps than any seed needs. */
const MOST_STEPS = 100_000;

export class World {
  readonly seed: number;
  readonly clock: VirtualClock = virtualClock(1_000_000);
  readonly random: () => number;
  readonly faults = new Map<string, number>();
  readonly incarnations: Incarnation[] = [];
  /** Asked before every step of an incarnation: whether the laws hold. */
  look: (incarnation: Incarnation) => void = () => undefined;
  violation: Violation | undefined;
  private steps = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = seededRandom(seed ^ 0x51ab1e);
  }

  get present(): Incarnation | undefined {
    return this.incarnations.at(-1);
  }

  begin(fate: Fate): Incarnation {
    const incarnation = new Incarnation(this, this.incarnations.length + 1, fate);
    this.incarnations.push(incarnation);
    return incarnation;
  }

  /** One step of an incarnation. */
  step(incarnation: Incarnation): void {
    if (++this.steps > MOST_STEPS) this.broken(`L11: incarnation ${incarnation.number} does not come to an end`);
    this.look(incarnation);
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  /** A law does not hold: nothing of this seed goes on. */
  broken(what: string): void {
    this.violation ??= new Violation(what);
    for (const incarnation of this.incarnations) incarnation.die();
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
