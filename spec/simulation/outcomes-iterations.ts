/**
 * The law of iterations: a life that continues from a checkpoint starts no iteration again that had ended before it, of
 * a record that was still iterated then.
 */
import type { Life } from './life.js';
import type { World } from './world.js';

/** By task and path, the iterations that have ended, of records that are iterated. */
type Ended = ReadonlyMap<string, number>;

export class Iterations {
  private readonly world: World;
  private readonly before = new Map<Life, Ended>();
  private readonly own = new Map<Life, Map<string, number>>();
  private readonly marked = new Map<Life, Ended>();
  private atCheckpoint: Ended = new Map();

  constructor(world: World) {
    this.world = world;
  }

  /** @param isAnew whether the life continues from nothing, or does on purpose again what had ended. */
  begin(life: Life, isAnew: boolean): void {
    if (isAnew) this.atCheckpoint = new Map();
    this.before.set(life, this.atCheckpoint);
    this.own.set(life, new Map(this.atCheckpoint));
  }

  started(life: Life, record: string, iteration: number): void {
    if (life.isDead) return;
    const before = this.before.get(life)?.get(record) ?? 0;
    if (iteration <= before) {
      this.world.broken(
        `life ${life.number} repeats iteration ${iteration} of ${record}, of which ${before} had ended`,
      );
    }
  }

  ended(life: Life, record: string, iteration: number): void {
    if (!life.isDead) this.own.get(life)?.set(record, iteration);
  }

  /** The record is not iterated any more. */
  left(life: Life, record: string): void {
    if (!life.isDead) this.own.get(life)?.delete(record);
  }

  /** A checkpoint describes this moment. */
  mark(life: Life): void {
    if (!life.isDead) this.marked.set(life, new Map(this.own.get(life)));
  }

  /** The checkpoint is in place. */
  taken(life: Life): void {
    this.atCheckpoint = this.marked.get(life) ?? this.before.get(life) ?? new Map();
  }
}
