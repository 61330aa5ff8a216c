/**
 * Boundaries that keep their state behind a source with several partitions, whose records arrive in another order each
 * time.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aggregateTask, asyncTask, defineWorkflow, expandTask, seededRandom, sinkTask, statefulTask } from 'millrace';
import { connectorSource } from 'millrace/connect';
import { memoryCheckpoints, virtualClock } from 'millrace/testing';
import { Topic, wait } from './topic.js';

interface Found {
  /** What the workflow has written, over all incarnations. */
  readonly sums: string[];
  readonly counts: Map<string, Set<number>>;
  readonly pairs: Set<string>;
  readonly parts: Set<string>;
}

/** Resumes the run until it completes. Each incarnation but the last is cancelled at one of these moments. */
async function liveThrough(topic: Topic, seed: number, kills: readonly number[]): Promise<Found> {
  const kept = memoryCheckpoints();
  const random = seededRandom(seed);
  const found: Found = { sums: [], counts: new Map(), pairs: new Set(), parts: new Set() };
  for (const killAtMs of [...kills, Infinity]) {
    const clock = virtualClock();
    const slowly = asyncTask(
      async (value: string) => {
        await wait(clock, Math.floor(random() * 40));
        return value;
      },
      { concurrency: 8 },
    );
    const source = (): ReturnType<Topic['source']> => topic.source(clock, { delayMs: () => Math.floor(random() * 30) });
    const flow = defineWorkflow({
      name: 'State',
      build: (tasks) =>
        tasks
          .task('Read', connectorSource(source()))
          .task('Ask', ['Read'], slowly)
          .task(
            'Sum',
            ['Ask'],
            aggregateTask({
              key: (value: string) => Number(value) % 3,
              init: () => 0,
              add: (sum: number, value: string) => sum + Number(value),
              finish: (sum, key) => `${key}: ${sum}`,
            }),
          )
          .task(
            'Sums',
            ['Sum'],
            sinkTask((sum: string) => void found.sums.push(sum)),
          )
          .task(
            'Count',
            ['Ask'],
            statefulTask({
              key: (value: string) => `${Number(value) % 2}`,
              init: () => 0,
              step: (count: number, value: string) =>
                [count + 1, { of: `${Number(value) % 2}`, count: count + 1 }] as const,
            }),
          )
          .task(
            'Counts',
            ['Count'],
            sinkTask(({ of, count }: { of: string; count: number }) => {
              found.counts.set(of, (found.counts.get(of) ?? new Set()).add(count));
            }),
          )
          .task(
            'Pair',
            ['Ask', 'Read'],
            { join: 'keyed', kind: 'outer', on: [(one) => one, (other) => other] },
            pairs(),
          )
          .task(
            'Pairs',
            ['Pair'],
            sinkTask((pair: string) => void found.pairs.add(pair)),
          )
          .task(
            'Parts',
            ['Ask'],
            expandTask((value: string) => [`${value}a`, `${value}b`]),
          )
          .task(
            'Write parts',
            ['Parts'],
            sinkTask((part: string) => void found.parts.add(part)),
          ),
    });
    const run = flow.run(undefined, {
      clock,
      seed,
      window: 8,
      checkpoints: kept.begin(),
      checkpointEvery: { everyMs: 1, everyRecords: 1 },
      ...(kept.last && { resumeFrom: kept.last }),
    });
    if (killAtMs < Infinity) {
      clock.schedule(killAtMs, () => {
        run.cancel();
      });
    }
    const { outcome } = await clock.runUntil(run.finished);
    if (outcome === 'completed') return found;
  }
  return found;
}

const pairs = () =>
  asyncTask(async ([one, other]: [string | undefined, string | undefined]) => `${one ?? '-'}=${other ?? '-'}`);

const values = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);

describe('a boundary behind several partitions', () => {
  it('counts each record once, whatever the order in which they arrive and however often the run is killed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 4 }),
        async (seed, partitions, kills) => {
          const topic = new Topic();
          for (const value of values(40)) topic.add(Number(value) % partitions, value);
          const found = await liveThrough(topic, seed, kills);
          const sums = [0, 1, 2].map((key) => {
            const own = values(40)
              .map(Number)
              .filter((value) => value % 3 === key);
            return `${key}: ${own.reduce((a, b) => a + b)}`;
          });
          expect([...new Set(found.sums)].sort()).toEqual(sums);
          for (const of of ['0', '1']) {
            expect([...(found.counts.get(of) ?? [])].sort((a, b) => a - b)).toEqual(
              values(20).map((n) => Number(n) + 1),
            );
          }
          expect([...found.pairs].sort()).toEqual(
            values(40)
              .map((value) => `${value}=${value}`)
              .sort(),
          );
          expect([...found.parts].sort()).toEqual(
            values(40)
              .flatMap((value) => [`${value}a`, `${value}b`])
              .sort(),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});
