/** Turns of the event loop, shared by those who work long. */
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '#lib/model/clock.js';
import { Turn } from '#lib/ledger/turn.js';

/** A clock whose turns are taken by hand. */
function handClock(): Clock & { spend(ms: number): void; nextTurn(): void } {
  let nowMs = 0;
  let deferred: (() => void)[] = [];
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    schedule: () => () => undefined,
    defer: (action) => void deferred.push(action),
    spend: (ms) => {
      nowMs += ms;
    },
    nextTurn: () => {
      const actions = deferred;
      deferred = [];
      for (const action of actions) action();
    },
  };
}

describe('a turn', () => {
  it('is long once it has been used for longer than the slice, and new again in the next', () => {
    const clock = handClock();
    const turn = new Turn(clock, 10);
    expect(turn.isLong()).toBe(false);
    clock.spend(10);
    expect(turn.isLong()).toBe(false);
    clock.spend(1);
    expect(turn.isLong()).toBe(true);
    clock.nextTurn();
    expect(turn.isLong()).toBe(false);
  });

  it('is long after some looks where the clock stands still, and new again in the next', () => {
    const clock = handClock();
    const turn = new Turn(clock, 10);
    const looksUntilLong = (): number => {
      for (let looks = 1; looks < 1000; looks++) if (turn.isLong()) return looks;
      return Infinity;
    };
    const looks = looksUntilLong();
    expect(looks).toBeLessThan(100);
    expect(turn.isLong()).toBe(true);
    clock.nextTurn();
    expect(looksUntilLong()).toBe(looks);
    clock.nextTurn();
    expect(turn.isLong()).toBe(false);
    clock.spend(1);
    for (let i = 0; i < 1000; i++) expect(turn.isLong()).toBe(false);
  });

  it('is shared by those who use up each of theirs', () => {
    const clock = handClock();
    const turn = new Turn(clock, 10);
    const worked: Record<string, number> = {};
    const work = (name: string): void => {
      if (!turn.isLong()) {
        worked[name] = (worked[name] ?? 0) + 1;
        clock.spend(11);
      }
      turn.defer(() => {
        work(name);
      });
    };
    for (const name of ['first', 'second', 'third']) work(name);
    for (let i = 0; i < 30; i++) clock.nextTurn();
    expect(Math.min(...['first', 'second', 'third'].map((name) => worked[name] ?? 0))).toBeGreaterThanOrEqual(9);
  });

  it('goes on with all that was deferred where there is time for it, in order', () => {
    const clock = handClock();
    const turn = new Turn(clock, 10);
    const done: number[] = [];
    for (const n of [1, 2, 3]) turn.defer(() => done.push(n));
    expect(done).toEqual([]);
    clock.nextTurn();
    expect(done).toEqual([1, 2, 3]);
  });

  it('keeps those who wait in line when a turn was used up before them', () => {
    const clock = handClock();
    const turn = new Turn(clock, 10);
    const done: number[] = [];
    turn.defer(() => {
      clock.spend(11);
    });
    for (const n of [2, 3]) turn.defer(() => done.push(n));
    clock.nextTurn();
    turn.defer(() => done.push(4));
    expect(done).toEqual([]);
    clock.nextTurn();
    expect(done).toEqual([2, 3, 4]);
  });

  it('runs thousands that wait, each once and in order, and leaves the clock few of them at a time', () => {
    const clock = handClock();
    let mostAtOnce = 0;
    let scheduled = 0;
    const turn = new Turn(
      {
        ...clock,
        defer: (action) => {
          mostAtOnce = Math.max(mostAtOnce, ++scheduled);
          clock.defer(() => {
            scheduled--;
            action();
          });
        },
      },
      10,
    );
    const done: number[] = [];
    const all = Array.from({ length: 5000 }, (_, n) => n);
    for (const n of all) {
      turn.defer(() => {
        done.push(n);
        clock.spend(1);
      });
    }
    for (let turns = 0; turns < 2000 && done.length < all.length; turns++) clock.nextTurn();
    expect(done).toEqual(all);
    expect(mostAtOnce).toBeLessThan(100);
  });
});
