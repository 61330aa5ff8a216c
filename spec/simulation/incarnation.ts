/**
 * One incarnation of a run: what a process is in reality. Promise: once it is dead nothing of it touches the world any
 * more, whatever of its code still runs.
 */
import type { Clock } from 'millrace';
import type { Fate, World } from './world.js';

export class Incarnation {
  readonly number: number;
  readonly fate: Fate;
  /** The time of the run: what waits for it is counted. */
  readonly clock: Clock;
  /** Time as the work of tasks sees it, which may outlast the run. */
  readonly outside: Clock;
  /** Resolves when it is dead, or another has taken its place. */
  readonly over: Promise<'dead' | 'taken over'>;
  isDead = false;
  /** Timers that wait, and files that are open. */
  timers = 0;
  files = 0;
  private readonly world: World;
  private operations = 0;
  private writes = 0;
  private end!: (how: 'dead' | 'taken over') => void;

  constructor(world: World, number: number, fate: Fate) {
    this.world = world;
    this.number = number;
    this.fate = fate;
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
    this.outside = this.clockOf(world);
    this.clock = this.counting(this.outside);
    const { diesAtMs, isTakenOverAtMs } = fate;
    if (diesAtMs !== undefined) {
      world.clock.schedule(diesAtMs, () => {
        this.die('crash');
      });
    }
    if (isTakenOverAtMs !== undefined) {
      world.clock.schedule(isTakenOverAtMs, () => {
        if (this.isDead) return;
        world.count('taken over while alive');
        this.end('taken over');
      });
    }
  }

  /** Whether a later incarnation has begun. */
  get isZombie(): boolean {
    return this.world.present !== this;
  }

  /** @param why what is counted, where it is a fault and not the end of the world. */
  die(why?: string): void {
    if (this.isDead) return;
    if (why !== undefined) this.world.count(this.fate.isPowerLoss ? `${why} with power loss` : why);
    this.isDead = true;
    this.end('dead');
  }

  /** Does something to the disk, after a while. Never settles where the incarnation ends before. */
  async operate<T>(kind: 'write' | 'other', effect: (isFull: boolean) => T): Promise<T> {
    const { world, fate } = this;
    const delayMs = world.chance(0.05) ? 50 + world.below(400) : world.below(3);
    if (delayMs > 3) world.count('slow disk');
    return new Promise((resolve, reject) => {
      this.clock.schedule(delayMs, () => {
        const number = ++this.operations;
        const isFull = kind === 'write' && ++this.writes === fate.fullAt;
        const { diesAt } = fate;
        if (diesAt?.operation === number && !diesAt.isAfter) {
          this.die('crash at the disk');
          return;
        }
        try {
          const result = effect(isFull);
          if (diesAt?.operation === number) this.die('crash at the disk');
          else resolve(result);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  private clockOf(world: World): Clock {
    const unlessDead = (action: () => void) => (): void => {
      if (this.isDead) return;
      world.step(this);
      action();
    };
    return {
      now: () => world.clock.now(),
      monotonicMs: () => world.clock.monotonicMs(),
      schedule: (delayMs, action) => world.clock.schedule(delayMs, unlessDead(action)),
      defer: (action) => {
        world.clock.defer(unlessDead(action));
      },
      hold: (work) => world.clock.hold(work),
    };
  }

  private counting(clock: Clock): Clock {
    return {
      ...clock,
      schedule: (delayMs, action) => {
        let isWaiting = true;
        this.timers++;
        const settle = (): void => {
          if (isWaiting) this.timers--;
          isWaiting = false;
        };
        const cancel = clock.schedule(delayMs, () => {
          settle();
          action();
        });
        return () => {
          settle();
          cancel();
        };
      },
    };
  }
}
