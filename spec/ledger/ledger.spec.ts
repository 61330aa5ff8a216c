import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RootLedger } from '#lib/ledger/ledger.js';

function ledgerWith(exits: number, window = 8): RootLedger {
  const ledger = new RootLedger('S', window);
  for (let exit = 0; exit < exits; exit++) ledger.addExit(`exit ${exit}`);
  return ledger;
}

describe('the ledger of a root', () => {
  it('settles a lineage when it has passed every exit, in any order', () => {
    const ledger = ledgerWith(3);
    ledger.birth(2);
    ledger.leave(2, [0, 1]);
    ledger.leave(0, [0]);
    expect([ledger.inFlight, ledger.watermark]).toEqual([2, 0]);
    ledger.leave(1, [0]);
    expect([ledger.inFlight, ledger.settled, ledger.watermark]).toEqual([1, 1, 1]);
  });

  it('never moves the watermark past an unsettled lineage', () => {
    const ledger = ledgerWith(1);
    ledger.birth(4);
    ledger.leave(0, [1, 3]);
    expect(ledger.watermark).toBe(0);
    expect(ledger.progress()).toMatchObject({ watermark: 0, passed: { 'exit 0': [1, 2, 3, 4] } });
    ledger.leaveOne(0, 0);
    expect(ledger.watermark).toBe(2);
    expect(ledger.progress()).toMatchObject({ passed: { 'exit 0': [3, 4] } });
  });

  it('has no room while the window is full, and wakes the root when there is room again', () => {
    const ledger = ledgerWith(1, 2);
    let wakes = 0;
    ledger.whenRoom(() => wakes++);
    ledger.birth(2);
    expect(ledger.room).toBe(0);
    expect(() => ledger.birth(1)).toThrow('1 births with room for 0');
    ledger.leave(0, [0, 1]);
    expect([ledger.room, wakes]).toEqual([2, 1]);
  });

  it('does not run more than four windows ahead of a lineage that does not settle', () => {
    const ledger = ledgerWith(1, 4);
    ledger.birth(4);
    ledger.leave(0, [1, 2, 3]);
    while (ledger.room > 0) ledger.leaveOne(0, ledger.birth(1));
    expect(ledger.born).toBe(16);
    ledger.leaveOne(0, 0);
    expect(ledger.room).toBe(4);
  });

  it.each([1, 40])('widens while a part needs it, and knows what is in flight all the while (%i exits)', (exits) => {
    const ledger = ledgerWith(exits, 4);
    const [by, other] = [{}, {}];
    let lengthened = 0;
    ledger.whenLengthened(() => lengthened++);
    ledger.birth(4);
    for (let exit = 0; exit < exits; exit++) ledger.leave(exit, [1]);
    ledger.leave(0, [2]);
    expect([ledger.widen(by), ledger.widen(other), ledger.window, lengthened]).toEqual([true, true, 16, 2]);
    ledger.birth(ledger.room);
    expect([ledger.inFlight, ledger.isInFlight(1), ledger.hasPassed(0, 2), ledger.hasPassed(0, 3)]).toEqual([
      16,
      false,
      true,
      false,
    ]);
    ledger.narrow(by);
    expect(ledger.window).toBe(16);
    ledger.narrow(other);
    expect([ledger.window, ledger.room]).toEqual([4, 0]);
    ledger.assertConservation();
    for (let lineage = 0; lineage < ledger.born; lineage++) {
      for (let exit = 0; exit < exits; exit++) if (!ledger.hasPassed(exit, lineage)) ledger.leaveOne(exit, lineage);
    }
    expect([ledger.inFlight, ledger.watermark, ledger.room]).toEqual([0, ledger.born, 4]);
    ledger.assertConservation();
  });

  it('widens at most 64 times, and never if its window is one lineage', () => {
    const ledger = ledgerWith(1, 4);
    while (ledger.widen(ledger));
    expect(ledger.window).toBe(256);
    expect(ledgerWith(1, 1).widen(ledger)).toBe(false);
  });

  it.each([1, 32, 33, 70])('throws when a lineage leaves twice, or was never born, with %i exits', (exits) => {
    const ledger = ledgerWith(exits);
    ledger.birth(1);
    const last = exits - 1;
    ledger.leave(last, [0]);
    const message = `The ledger of root 'S' does not balance: lineage 0 left by exit ${last} twice, or was never born`;
    expect(() => {
      ledger.leave(last, [0]);
    }).toThrow(message);
    expect(() => {
      ledger.leaveOne(0, 5);
    }).toThrow('lineage 5 left by exit 0 twice, or was never born');
  });

  it('names the oldest lineage in flight and where it has not been', () => {
    const ledger = ledgerWith(40);
    ledger.birth(2);
    for (let exit = 0; exit < 40; exit++) if (exit !== 3 && exit !== 37) ledger.leave(exit, [0]);
    expect(ledger.oldest()).toEqual({ lineage: 0, exits: ['exit 3', 'exit 37'] });
  });

  it('agrees with a naive count of who holds what, over long random lives', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 300 }),
        (exits, window, draws) => {
          const ledger = ledgerWith(exits, window);
          const waiting = new Map<number, Set<number>>();
          const settledNow: number[] = [];
          const settled: number[] = [];
          ledger.whenSettled((lineage) => settled.push(lineage));
          for (const draw of draws) {
            const count = draw % (ledger.room + 1);
            if (draw % 3 === 0 && count > 0) {
              const first = ledger.birth(count);
              for (let i = 0; i < count; i++)
                waiting.set(first + i, new Set(Array.from({ length: exits }, (_, e) => e)));
            } else if (waiting.size > 0) {
              const lineage = [...waiting.keys()][draw % waiting.size] as number;
              const left = waiting.get(lineage) as Set<number>;
              const exit = [...left][draw % left.size] as number;
              left.delete(exit);
              if (left.size === 0) {
                waiting.delete(lineage);
                settledNow.push(lineage);
              }
              ledger.leaveOne(exit, lineage);
            }
            expect(ledger.inFlight).toBe(waiting.size);
            expect(ledger.inFlight).toBeLessThanOrEqual(window);
            expect(ledger.watermark).toBe(Math.min(ledger.born, ...waiting.keys()));
            ledger.assertConservation();
          }
          expect(settled).toEqual(settledNow);
        },
      ),
    );
  });
});
