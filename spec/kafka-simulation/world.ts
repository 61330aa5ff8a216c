/** The order of everything in a simulation, drawn from a seed. No time passes. */
import { seededRandom } from 'millrace';

export type Fate = 'arrives' | 'lost' | 'late' | 'answer lost';

/** A simulation that takes longer goes round in circles. */
const MOST_TURNS = 20_000;

export class World {
  private readonly random: () => number;
  private waiting: (() => void)[] = [];
  private late: (() => void)[] = [];
  /** The share of requests that meet a fault. */
  faults = 0.1;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** Resolves when it is the turn of the caller. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Resolves later than the turns of now. */
  later(): Promise<void> {
    return new Promise((resolve) => this.late.push(resolve));
  }

  fateOfRequest(): Fate {
    if (!this.chance(this.faults)) return 'arrives';
    return (['lost', 'late', 'answer lost'] as const)[this.below(3)] as Fate;
  }

  /** Gives turns until the promise has settled. `onTurn` is called before each. */
  async until<T>(work: Promise<T>, onTurn: (turn: number) => void, mostTurns = MOST_TURNS): Promise<T> {
    let isOver = false;
    const end = (): void => {
      isOver = true;
    };
    work.then(end, end);
    const hasEnded = (): boolean => isOver;
    for (let turn = 0; !hasEnded(); turn++) {
      if (turn > mostTurns) throw new Error('It does not end');
      onTurn(turn);
      const isLate = this.late.length > 0 && (this.waiting.length === 0 || this.chance(0.05));
      const queue = isLate ? this.late : this.waiting;
      const [next] = queue.splice(this.below(queue.length), 1);
      next?.();
      // What the turn has set off ends before the next one.
      for (let i = 0; i < 12; i++) await Promise.resolve();
      if (next === undefined) await new Promise((resolve) => setImmediate(resolve));
    }
    return work;
  }
}
