/**
 * The law of repeated work: each task starts a path at most once per life, and of what had started before the
 * checkpoint that a life continues from, it starts at most one window again. Idempotency keys name paths.
 */
import { isAmbiguous, isPure } from './outcomes-graph.js';
import type { Life } from './life.js';
import type { World } from './world.js';

export class Starts {
  /** The number of starts that were repeated, over all lives. */
  repeated = 0;
  private readonly world: World;
  private readonly window: number;
  /** Starts of the present lives, by life. */
  private readonly own = new Map<Life, Set<string>>();
  /** What had started before the checkpoint from which a life continues, in any life. */
  private readonly before = new Map<Life, ReadonlySet<string>>();
  /** What had started at the moment of the last checkpoint that a life began. */
  private readonly marked = new Map<Life, ReadonlySet<string>>();
  private readonly repeats = new Map<string, number>();
  private readonly pathOfKey = new Map<string, string>();
  private readonly keyOfPath = new Map<string, string>();
  private atCheckpoint: ReadonlySet<string> = new Set();

  constructor(world: World, window: number) {
    this.world = world;
    this.window = window;
  }

  /** @param isAnew whether the life continues from nothing, or does on purpose again what had ended. */
  begin(life: Life, isAnew: boolean): void {
    if (isAnew) this.atCheckpoint = new Set();
    this.before.set(life, this.atCheckpoint);
    this.own.set(life, new Set());
  }

  started(life: Life, task: string, path: string): void {
    if (life.isDead || isAmbiguous(path)) return;
    const own = this.own.get(life) as Set<string>;
    const start = `${task} ${path}`;
    if (own.has(start)) this.world.broken(`L6: '${task}' starts ${path} twice in life ${life.number}`);
    own.add(start);
    if (this.before.get(life)?.has(start) !== true) return;
    this.repeated++;
    const key = `${life.number} ${task}`;
    const repeats = (this.repeats.get(key) ?? 0) + 1;
    this.repeats.set(key, repeats);
    if (repeats > this.window) {
      this.world.broken(
        `'${task}' repeats ${repeats} starts in life ${life.number}, more than the window of ${this.window}`,
      );
    }
  }

  /** The key of a call is that of its record alone, in every life. */
  called(life: Life, task: string, path: string, key: string): void {
    if (life.isDead || isAmbiguous(path)) return;
    const { world } = this;
    const scope = isPure(path) ? '' : `${life.number} `;
    const named = `${task} ${path}`;
    // A collection of all records has the same path in any order, but is another record.
    const madeIn = path.includes('{') ? `${life.number} ` : '';
    const known = this.pathOfKey.get(scope + key);
    if (known !== undefined && known !== named)
      world.broken(`one idempotency key for two records of '${task}': ${known} and ${path}`);
    this.pathOfKey.set(scope + key, named);
    const before = this.keyOfPath.get(madeIn + named);
    if (before !== undefined && before !== key)
      world.broken(`two idempotency keys for ${path} of '${task}': ${before} and ${key}`);
    this.keyOfPath.set(madeIn + named, key);
  }

  /** A checkpoint describes this moment. */
  mark(life: Life): void {
    if (life.isDead) return;
    this.marked.set(life, new Set([...(this.before.get(life) ?? []), ...(this.own.get(life) ?? [])]));
  }

  /** The checkpoint is in place. */
  taken(life: Life): void {
    this.atCheckpoint = this.marked.get(life) ?? this.before.get(life) ?? new Set();
  }
}
