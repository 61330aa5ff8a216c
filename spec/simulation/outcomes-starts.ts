/**
 * The law of repeated work: each task starts a path at most once per incarnation, and of what had started before the
 * checkpoint that an incarnation continues from, it starts at most one window again. Idempotency keys name paths.
 */
import { isAmbiguous, isPure } from './outcomes-graph.js';
import type { Incarnation } from './incarnation.js';
import type { World } from './world.js';

export class Starts {
  /** The number of starts that were repeated, over all incarnations. */
  repeated = 0;
  private readonly world: World;
  private readonly window: number;
  /** Starts of the present incarnations, by incarnation. */
  private readonly own = new Map<Incarnation, Set<string>>();
  /** What had started before the checkpoint from which an incarnation continues, in any incarnation. */
  private readonly before = new Map<Incarnation, ReadonlySet<string>>();
  /** What had started at the moment of the last checkpoint that an incarnation began. */
  private readonly marked = new Map<Incarnation, ReadonlySet<string>>();
  private readonly repeats = new Map<string, number>();
  private readonly pathOfKey = new Map<string, string>();
  private readonly keyOfPath = new Map<string, string>();
  private atCheckpoint: ReadonlySet<string> = new Set();

  constructor(world: World, window: number) {
    this.world = world;
    this.window = window;
  }

  /** @param isAnew whether the incarnation continues from nothing, or does on purpose again what had ended. */
  begin(incarnation: Incarnation, isAnew: boolean): void {
    if (isAnew) this.atCheckpoint = new Set();
    this.before.set(incarnation, this.atCheckpoint);
    this.own.set(incarnation, new Set());
  }

  started(incarnation: Incarnation, task: string, path: string): void {
    if (incarnation.isDead || isAmbiguous(path)) return;
    const own = this.own.get(incarnation) as Set<string>;
    const start = `${task} ${path}`;
    if (own.has(start)) this.world.broken(`L6: '${task}' starts ${path} twice in incarnation ${incarnation.number}`);
    own.add(start);
    if (this.before.get(incarnation)?.has(start) !== true) return;
    this.repeated++;
    const key = `${incarnation.number} ${task}`;
    const repeats = (this.repeats.get(key) ?? 0) + 1;
    this.repeats.set(key, repeats);
    if (repeats > this.window) {
      this.world.broken(
        `'${task}' repeats ${repeats} starts in incarnation ${incarnation.number}, more than the window of ${this.window}`,
      );
    }
  }

  /** The key of a call is that of its record alone, in every incarnation. */
  called(incarnation: Incarnation, task: string, path: string, key: string): void {
    if (incarnation.isDead || isAmbiguous(path)) return;
    const { world } = this;
    const scope = isPure(path) ? '' : `${incarnation.number} `;
    const named = `${task} ${path}`;
    // A collection of all records has the same path in any order, but is another record.
    const madeIn = path.includes('{') ? `${incarnation.number} ` : '';
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
  mark(incarnation: Incarnation): void {
    if (incarnation.isDead) return;
    this.marked.set(
      incarnation,
      new Set([...(this.before.get(incarnation) ?? []), ...(this.own.get(incarnation) ?? [])]),
    );
  }

  /** The checkpoint is in place. */
  taken(incarnation: Incarnation): void {
    this.atCheckpoint = this.marked.get(incarnation) ?? this.before.get(incarnation) ?? new Set();
  }
}
