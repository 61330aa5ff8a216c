import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ServingRules } from 'millrace';
import { chooseFromQueue, type Places } from '#lib/server/runs/queue.js';
import type { StoredRun } from '#lib/server/runs/stored-run.js';
import { aRun } from '../../contracts/server-store.contract.js';

const queued = (id: string, queuedAt: number, schedule: string | null = null): ReturnType<typeof aRun> =>
  aRun(id, { queuedAt, schedule, isExclusive: schedule !== null });

interface Rules {
  readonly pools?: Readonly<Record<string, number>>;
  readonly serving?: Readonly<Record<string, ServingRules>>;
  readonly now?: number;
}

const places = (maxRuns: number, { pools = {}, serving = {}, now = 10 }: Rules = {}): Places => ({
  maxRuns,
  pools: new Map(Object.entries(pools)),
  rulesOf: (workflow) => serving[workflow],
  server: null,
  hasElsewhere: () => false,
  now,
});

describe('the queue', () => {
  it('starts the longest waiting runs, as many as there are places, and says why the others wait', () => {
    const runs = [queued('c', 3), queued('a', 1), aRun('x', { state: 'running' }), queued('b', 2)];
    const { start, waiting } = chooseFromQueue(runs, places(3));
    expect(start).toEqual(['a', 'b']);
    expect([...waiting]).toEqual([['c', 'It waits for a place: 3 of 3 runs are at work']]);
  });

  it('keeps the runs of a schedule apart, and lets those behind them pass', () => {
    const runs = [aRun('x', { state: 'starting', schedule: 's' }), queued('a', 1, 's'), queued('b', 2)];
    const { start, waiting } = chooseFromQueue(runs, places(9));
    expect(start).toEqual(['b']);
    expect(waiting.get('a')).toBe('It waits for the end of run x of the same schedule');
    expect(chooseFromQueue([queued('a', 1, 's'), queued('b', 2, 's')], places(9)).start).toEqual(['a']);
  });

  it('keeps the exclusive runs of a backfill apart, oldest tick first, also beside runs of its schedule', () => {
    const past = (id: string, tick: number, isExclusive = true): StoredRun =>
      aRun(id, { backfill: 'f', scheduledFor: tick, isExclusive });
    const runs = [past('b', 2), past('a', 1), queued('c', 9, 's')];
    const { start, waiting } = chooseFromQueue(runs, places(9));
    expect(start).toEqual(['c', 'a']);
    expect(waiting.get('b')).toBe('It waits for the end of run a of the same backfill');
    expect(chooseFromQueue([past('a', 1, false), past('b', 2, false)], places(9)).start).toEqual(['a', 'b']);
  });

  const of = (workflow: string, id: string, queuedAt: number): StoredRun => aRun(id, { workflow, queuedAt });

  it('keeps the runs of a workflow within its own number, and lets others pass', () => {
    const runs = [of('A', 'a', 1), of('A', 'b', 2), of('B', 'c', 3)];
    const { start, waiting } = chooseFromQueue(runs, places(9, { serving: { A: { maxRuns: 1 } } }));
    expect(start).toEqual(['a', 'c']);
    expect(waiting.get('b')).toBe('It waits for a place: 1 of 1 runs of A are at work');
  });

  it('keeps the runs that hold a pool within its size, and says so where there is no such pool', () => {
    const serving = { A: { pools: ['db'] }, B: { pools: ['db', 'gpu'] }, C: { pools: ['lake'] } };
    const runs = [of('B', 'a', 1), of('A', 'b', 2), of('A', 'c', 3), of('C', 'd', 4), of('D', 'e', 5)];
    const { start, waiting } = chooseFromQueue(runs, places(9, { pools: { db: 2, gpu: 1 }, serving }));
    expect(start).toEqual(['a', 'b', 'e']);
    expect(waiting.get('c')).toBe("It waits for the pool 'db': 2 of 2 of its places are taken");
    expect(waiting.get('d')).toBe(
      "It waits for the pool 'lake', which this server does not have. Start the server with --pool lake=1",
    );
  });

  it('starts runs of a higher priority first, and one that has waited long before them', () => {
    const serving = { High: { priority: 2 } };
    const runs = [of('Low', 'low', 0), of('High', 'high', 5)];
    expect(chooseFromQueue(runs, places(1, { serving })).start).toEqual(['high']);
    expect(
      chooseFromQueue([of('Low', 'low', 0), of('High', 'high', 10_700_000)], places(1, { serving, now: 10_800_000 }))
        .start,
    ).toEqual(['low']);
  });

  it('starts runs of today before those of a backfill, whichever waits longer', () => {
    const runs = [aRun('past', { queuedAt: 0, backfill: 'b' }), queued('today', 3_600_000)];
    expect(chooseFromQueue(runs, places(1, { now: 7_200_000 })).start).toEqual(['today']);
    expect(chooseFromQueue(runs, places(2, { now: 7_200_000 })).start).toEqual(['today', 'past']);
  });

  it('starts no run before its time, and keeps no place for it', () => {
    const runs = [aRun('a', { queuedAt: 1, notBefore: 11 }), queued('b', 2)];
    const { start, waiting } = chooseFromQueue(runs, places(1, { now: 10 }));
    expect(start).toEqual(['b']);
    expect(waiting.get('a')).toBe('It waits for its time, 1970-01-01T00:00:00.011Z: the schedule has a jitter');
    expect(chooseFromQueue(runs, places(1, { now: 11 })).start).toEqual(['a']);
  });

  it('has no pool that is overfull, whatever is queued and at work', () => {
    const workflows = ['A', 'B', 'C'];
    const one = fc.record({ workflow: fc.constantFrom(...workflows), queuedAt: fc.nat(100) });
    const rules = fc.record(
      {
        maxRuns: fc.integer({ min: 1, max: 3 }),
        pools: fc.subarray(['p', 'q']),
        priority: fc.integer({ min: -2, max: 2 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 20 }),
        fc.record({ A: rules, B: rules, C: rules }),
        fc.integer({ min: 1, max: 4 }),
        (all, given, maxRuns) => {
          const serving = given as Record<string, ServingRules>;
          const sizes: Readonly<Record<string, number>> = { p: 2, q: 1 };
          // Those at work were started by the same rules.
          const working: StoredRun[] = [];
          const runs = all.map(({ workflow, queuedAt }, index) => of(workflow, `r${index}`, queuedAt));
          for (let pass = 0; pass < 3; pass++) {
            const waiting = runs.filter((run) => !working.some(({ id }) => id === run.id));
            const answer = chooseFromQueue([...working, ...waiting], places(maxRuns, { pools: sizes, serving }));
            expect([...answer.start, ...answer.waiting.keys()].sort()).toEqual(waiting.map(({ id }) => id).sort());
            for (const run of waiting.filter(({ id }) => answer.start.includes(id)))
              working.push({ ...run, state: 'running' });
            expect(working.length).toBeLessThanOrEqual(maxRuns);
            for (const workflow of workflows) {
              expect(working.filter((run) => run.workflow === workflow).length).toBeLessThanOrEqual(
                serving[workflow]?.maxRuns ?? Infinity,
              );
            }
            for (const pool of ['p', 'q']) {
              const holding = working.filter((run) => serving[run.workflow]?.pools?.includes(pool));
              expect(holding.length).toBeLessThanOrEqual(sizes[pool] as number);
            }
            // Nothing waits while there is room for it.
            if (answer.start.length === 0 && working.length < maxRuns)
              expect(
                answer.waiting.size === 0 ||
                  [...answer.waiting.values()].every(
                    (why) => !why.startsWith(`It waits for a place: ${maxRuns} of ${maxRuns} runs are`),
                  ),
              ).toBe(true);
            if (pass === 1) working.shift();
          }
        },
      ),
    );
  });
});
