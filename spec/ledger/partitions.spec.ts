import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RootLedger } from '#lib/ledger/ledger.js';

describe('a root that is divided into partitions', () => {
  const divided = (window = 4) => {
    const root = new RootLedger('Topic', window);
    const exit = root.addExit('Out');
    return { root, exit, ledgers: root.divide() };
  };

  it('identifies each slot by its partition and number', () => {
    const { root, ledgers } = divided();
    ledgers.open(2, { first: 0, from: 10 });
    ledgers.open(5, { first: 0, from: 0 });
    ledgers.announce(2, [10, 13]);
    root.birth(2);
    ledgers.announce(5, [0]);
    root.birth(1);
    expect([0, 1, 2].map((slot) => root.identify(slot))).toEqual([
      { root: 'Topic', partition: 2, number: 10 },
      { root: 'Topic', partition: 2, number: 13 },
      { root: 'Topic', partition: 5, number: 0 },
    ]);
  });

  it('does not count records that are announced and not born', () => {
    const { root, exit, ledgers } = divided();
    ledgers.open(0, { first: 0, from: 0 });
    ledgers.announce(0, [0]);
    root.birth(1);
    root.leaveOne(exit, 0);
    ledgers.announce(0, [1, 2]);
    expect(root.progress().partitions).toEqual({ 0: { watermark: 1, born: 1, passed: {} } });
    root.birth(2);
    expect(root.progress().partitions).toEqual({ 0: { watermark: 1, born: 3, passed: {} } });
  });

  it('keeps the progress of partitions that nothing is read of', () => {
    const { root, ledgers } = divided();
    ledgers.open(3, { first: 5, from: 7 });
    expect(root.progress()).toEqual({
      watermark: 2,
      born: 2,
      passed: {},
      partitions: { 3: { first: 5, watermark: 7, born: 7, passed: {} } },
    });
  });

  it('cannot be divided after a birth', () => {
    const root = new RootLedger('Topic', 4);
    root.addExit('Out');
    root.birth(1);
    expect(() => root.divide()).toThrow('divided into partitions after lineages were born');
  });

  it('reports for each partition what a ledger of its own would report, and a floor that is never above it', () => {
    const steps = fc.array(
      fc.record({
        partition: fc.nat({ max: 3 }),
        count: fc.integer({ min: 1, max: 3 }),
        leave: fc.nat(),
        exit: fc.nat({ max: 1 }),
      }),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), steps, (window, all) => {
        const root = new RootLedger('Topic', window);
        const alone = [0, 1, 2, 3].map((partition) => new RootLedger(`Partition ${partition}`, 1_000));
        const exits = ['A', 'B'].map((label) => {
          for (const ledger of alone) ledger.addExit(label);
          return root.addExit(label);
        });
        const ledgers = root.divide();
        alone.forEach((_, partition) => {
          ledgers.open(partition, { first: 0, from: 0 });
        });
        const pending: { slot: number; partition: number; number: number; exit: number }[] = [];
        for (const { partition, count, leave, exit } of all) {
          const size = Math.min(count, root.room);
          if (size > 0) {
            const own = alone[partition] as RootLedger;
            const first = own.birth(size);
            const numbers = Array.from({ length: size }, (_, i) => first + i);
            ledgers.announce(partition, numbers);
            const slot = root.birth(size);
            numbers.forEach((number, i) => {
              for (const each of exits) pending.push({ slot: slot + i, partition, number, exit: each });
            });
          }
          const [one] = pending.splice((leave + exit) % Math.max(1, pending.length), 1);
          if (one !== undefined) {
            expect(root.identify(one.slot)).toMatchObject({ partition: one.partition, number: one.number });
            root.leaveOne(one.exit, one.slot);
            alone[one.partition]?.leaveOne(one.exit, one.number);
          }
          const { partitions } = root.progress();
          alone.forEach((ledger, index) => {
            expect(partitions?.[index]).toEqual(ledger.progress());
            expect(ledgers.floorOf(index)).toBeLessThanOrEqual(ledger.watermark);
          });
        }
      }),
      { numRuns: 300 },
    );
  });
});
