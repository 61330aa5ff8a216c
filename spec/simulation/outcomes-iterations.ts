/**
 * The law of iterations: an incarnation that continues from a checkpoint starts no iteration again that had ended
 * before it, of a record that was still iterated then.
 */
import type { Incarnation } from './incarnation.js';
import type { World } from './world.js';

/** By task and path, the iterations that have ended, of records that are iterated. */
type Ended = ReadonlyMap<string, number>;

export class Iterations {
  private readonly world: World;
  private readonly before = new Map<Incarnation, Ended>();
  private readonly own = new Map<Incarnation, Map<string, number>>();
  private readonly marked = new Map<Incarnation, Ended>();
  private atCheckpoint: Ended = new Map();

  constructor(world: World) {
    this.world = world;
  }

  /** @param isAnew whether the incarnation continues from nothing, or does on purpose again what had ended. */
  begin(incarnation: Incarnation, isAnew: boolean): void {
    if (isAnew) this.atCheckpoint = new Map();
    this.before.set(incarnation, this.atCheckpoint);
    this.own.set(incarnation, new Map(this.atCheckpoint));
  }

  started(incarnation: Incarnation, record: string, iteration: number): void {
    if (incarnation.isDead) return;
    const before = this.before.get(incarnation)?.get(record) ?? 0;
    if (iteration <= before) {
      this.world.broken(
        `incarnation ${incarnation.number} repeats iteration ${iteration} of ${record}, of which ${before} had ended`,
      );
    }
  }

  ended(incarnation: Incarnation, record: string, iteration: number): void {
    if (!incarnation.isDead) this.own.get(incarnation)?.set(record, iteration);
  }

  /** The record is not iterated any more. */
  left(incarnation: Incarnation, record: string): void {
    if (!incarnation.isDead) this.own.get(incarnation)?.delete(record);
  }

  /** A checkpoint describes this moment. */
  mark(incarnation: Incarnation): void {
    if (!incarnation.isDead) this.marked.set(incarnation, new Map(this.own.get(incarnation)));
  }

  /** The checkpoint is in place. */
  taken(incarnation: Incarnation): void {
    this.atCheckpoint = this.marked.get(incarnation) ?? this.before.get(incarnation) ?? new Map();
  }
}
