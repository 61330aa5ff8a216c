/** Sources with several partitions: each partition is read, settled and resumed by itself. */
import { describe, expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import fc from 'fast-check';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  sinkTask,
  syncTask,
  type Checkpoint,
  type DeadLetter,
  type LineageId,
  type RunOptions,
  type RunSummary,
} from 'millrace';
import { connectorSink, connectorSource, type Sink, type Source, type SourcePartition } from 'millrace/connect';
import { memoryCheckpoints, virtualClock, type VirtualClock } from 'millrace/testing';
import { Store, Topic, wait, type TopicOptions } from './topic.js';

type Work = (value: string, id: LineageId) => Promise<string>;

/** What one incarnation reads, does and writes. */
interface Incarnation extends RunOptions {
  readonly topic: Topic;
  readonly clock: VirtualClock;
  readonly sink: Sink<string>;
  readonly reading?: TopicOptions;
  readonly work?: Work;
  readonly isOrdered?: boolean;
  readonly cancelAtMs?: number;
}

async function live({
  topic,
  clock,
  sink,
  reading,
  work = (value) => Promise.resolve(value),
  isOrdered = true,
  cancelAtMs,
  ...options
}: Incarnation): Promise<RunSummary> {
  const flow = defineWorkflow({
    name: 'Topic',
    build: (tasks) =>
      tasks
        .task('Read', connectorSource(topic.source(clock, reading)))
        .task(
          'Work',
          ['Read'],
          asyncTask((value: string, { id }) => work(value, id), { concurrency: 100 }),
        )
        .task('Write', ['Work'], connectorSink(sink, { ordered: isOrdered })),
  });
  const run = flow.run(undefined, { clock, ...options });
  if (cancelAtMs !== undefined) {
    clock.schedule(cancelAtMs, () => {
      run.cancel();
    });
  }
  return clock.runUntil(run.finished);
}

describe('a source with several partitions', () => {
  it('gives every record once, with the number of its partition', async () => {
    const topic = new Topic().add(0, 'a', 'b').add(3, 'x').add(7, 'y', '', 'z');
    const store = new Store();
    const summary = await live({ topic, clock: virtualClock(), sink: store.committing() });
    expect(store.byPartition).toEqual({ 0: ['a', 'b'], 3: ['x'], 7: ['y', '', 'z'] });
    expect(store.rows.map(({ id }) => id).sort()).toEqual(['0:0', '0:1', '3:0', '7:0', '7:1', '7:2']);
    expect(summary.tasks['Read']).toMatchObject({ in: 6, out: 6 });
    // A run without checkpoints reports everything once, at its end.
    expect(topic.settled).toEqual(['0: 2; 3: 1; 7: 3']);
    expect(topic.closed.sort()).toEqual([0, 3, 7]);
  });

  it.each([
    ['an ordered sink', true],
    ['an unordered sink', false],
  ])('keeps the order of each partition in front of %s', async (_, isOrdered) => {
    const topic = new Topic();
    for (let n = 0; n < 60; n++) topic.add(n % 3, `${n}`);
    const store = new Store();
    const work: Work = async (value) => value;
    await live({ topic, clock: virtualClock(), sink: store.committing(), work, isOrdered, window: 8 });
    for (const values of Object.values(store.byPartition)) {
      expect(values).toEqual([...values].sort((a, b) => Number(a) - Number(b)));
    }
    expect(store.rows).toHaveLength(60);
  });

  it('takes turns between its partitions when there is little room', async () => {
    const topic = new Topic().add(0, 'a', 'a', 'a').add(1, 'b', 'b', 'b').add(2, 'c', 'c', 'c');
    const store = new Store();
    await live({ topic, clock: virtualClock(), sink: store.committing(), window: 1 });
    expect(store.rows.map(({ value }) => value).join('')).toBe('abcabcabc');
  });

  it('reads on where one partition is slow, and reads that one at most one batch ahead', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'slow', 'slow').add(1, ...Array.from({ length: 50 }, (_, n) => `${n}`));
    const store = new Store();
    const seen: string[] = [];
    const work: Work = async (value) => {
      seen.push(`${value} at ${clock.now()}`);
      return value;
    };
    const startedAt = clock.now();
    const reading = { delayMs: (partition: number) => (partition === 0 ? 60_000 : 0) };
    await live({ topic, clock, sink: store.committing(), reading, work, window: 4, isOrdered: true });
    const times = seen.map((line) => Number(line.split(' at ')[1]) - startedAt);
    expect(seen.filter((_, i) => (times[i] as number) < 1000)).toHaveLength(50);
    expect(seen.filter((_, i) => (times[i] as number) >= 60_000)).toHaveLength(2);
    // Two records, and the end.
    expect(topic.reads.filter((partition) => partition === 0).length).toBeLessThanOrEqual(3);
  });

  it('ends when its last partition ends, and closes each partition at its own end', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'a').add(1, 'b', 'c');
    const store = new Store();
    const reading = { delayMs: (partition: number) => (partition === 0 ? 10 : 5000) };
    await live({ topic, clock, sink: store.committing(), reading });
    expect(topic.closed).toEqual([0, 1]);
    expect(store.rows).toHaveLength(3);
  });

  it('fails the run with the error of one partition', async () => {
    const clock = virtualClock();
    const source: Source<string> = {
      open: () => [
        { partition: 0, read: () => new Promise(() => undefined) },
        { partition: 1, read: async () => Promise.reject(new Error('Partition 1 is gone')) },
      ],
    };
    const flow = defineWorkflow({
      name: 'Broken',
      build: (tasks) =>
        tasks.task('Read', connectorSource(source)).task(
          'End',
          ['Read'],
          sinkTask(() => undefined),
        ),
    });
    await expect(clock.runUntil(flow.run(undefined, { clock }).finished)).rejects.toThrow('Partition 1 is gone');
  });

  it.each([
    ['no partition', []],
    ['a partition twice', [1, 1]],
    ['a negative partition', [-1, 0]],
    ['half a partition', [0.5]],
  ])('is refused where it opens with %s', async (_, numbers) => {
    const source: Source<string> = {
      open: () => numbers.map((partition): SourcePartition<string> => ({ partition, read: () => null })),
    };
    const flow = defineWorkflow({
      name: 'Odd',
      build: (tasks) =>
        tasks.task('Read', connectorSource(source)).task(
          'End',
          ['Read'],
          sinkTask(() => undefined),
        ),
    });
    await expect(flow.run().finished).rejects.toThrow(
      `Expected source 'Read' to open with at least one partition, each with a number of its own from 0 on, got ${numbers.length} (${numbers.join(', ')})`,
    );
  });

  it.each([
    ['too few', { numbers: [4] }, true, 'to be 2 ascending numbers from 0 on'],
    ['falling', { numbers: [4, 3] }, true, 'to be 2 ascending numbers from 0 on'],
    ['with no partitions', { numbers: [4, 5] }, false, 'set `isPartitioned: true`'],
  ])('is refused where its numbers are %s', async (_, given, isPartitioned, message) => {
    const source: Source<string> = {
      isPartitioned,
      open: () => [{ partition: 0, read: () => ({ records: ['a', 'b'], ...given }) }],
    };
    const flow = defineWorkflow({
      name: 'Odd',
      build: (tasks) =>
        tasks.task('Read', connectorSource(source)).task(
          'End',
          ['Read'],
          sinkTask(() => undefined),
        ),
    });
    await expect(flow.run().finished).rejects.toThrow(message);
  });
});

describe('the progress of partitions', () => {
  it('is reported for each, and one record that does not settle holds back its own partition only', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'stuck', 'b', 'c').add(1, 'x', 'y');
    const kept = memoryCheckpoints();
    const work: Work = async (value) => {
      if (value === 'stuck') await wait(clock, 10_000);
      return value;
    };
    const sink = new Store().committing();
    await live({ topic, clock, sink, work, isOrdered: false, checkpoints: kept.begin(), cancelAtMs: 5000 });
    expect(topic.settled.at(-1)).toBe('0: 0,1,3; 1: 2');
    expect(kept.last?.roots['Read']).toEqual({
      watermark: 2,
      born: 5,
      passed: {},
      partitions: {
        0: { watermark: 0, born: 3, passed: { "'Write'": [1, 3] } },
        1: { watermark: 2, born: 2, passed: {} },
      },
    });
  });

  it('is resumed for each: from its position, without what is done, and without what is settled', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'a', 'stuck', 'c').add(5, 'x', 'y', 'stuck', 'z');
    const kept = memoryCheckpoints();
    const store = new Store();
    const seen: string[] = [];
    const work =
      (isStuck: boolean): Work =>
      async (value, { root, partition, number }) => {
        seen.push(`${root} ${partition}:${number} ${value}`);
        if (isStuck && value === 'stuck') await wait(clock, 60_000);
        return value;
      };
    const parts = { topic, clock, sink: store.committing(), isOrdered: false, reading: { hasPositions: true } };
    await live({ ...parts, work: work(true), checkpoints: kept.begin(), window: 16, cancelAtMs: 5000 });
    seen.length = 0;
    const resumeFrom = kept.last as Checkpoint;
    await live({ ...parts, sink: store.committing(), work: work(false), checkpoints: kept.begin(), resumeFrom });
    expect(seen).toEqual(['Read 0:1 stuck', 'Read 5:2 stuck']);
    expect(topic.opened).toEqual(['0: from 1', '5: from 2']);
    expect(topic.settled.at(-1)).toBe('0: 3; 5: 4');
    expect(store.rows.map(({ id }) => id).sort()).toEqual(['0:0', '0:1', '0:2', '5:0', '5:1', '5:2', '5:3']);
  });

  it('is resumed from the position of each partition', async () => {
    const clock = virtualClock();
    const topic = new Topic();
    for (let n = 0; n < 40; n++) topic.add(n % 2, `${n}`);
    const kept = memoryCheckpoints();
    const store = new Store();
    const work: Work = async (value) => {
      await wait(clock, 100);
      return value;
    };
    const parts = { topic, clock, work, window: 4, reading: { hasPositions: true } };
    await live({
      ...parts,
      sink: store.committing(),
      checkpoints: kept.begin(),
      cancelAtMs: 700,
      checkpointEvery: { everyMs: 1 },
    });
    const resumeFrom = kept.last as Checkpoint;
    await live({ ...parts, sink: store.committing(), checkpoints: kept.begin(), resumeFrom });
    expect(topic.opened).toHaveLength(2);
    for (const line of topic.opened) {
      const [, from, at] = /from (\d+) at (\d+)/.exec(line) ?? [];
      expect(Number(at)).toBeGreaterThan(0);
      expect(Number(at)).toBeLessThanOrEqual(Number(from));
    }
    expect(store.rows).toHaveLength(40);
  });

  it('grows: a partition that appears begins at its own start, and a source with one partition gets more', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'a', 'stuck', 'c');
    const kept = memoryCheckpoints();
    const store = new Store();
    const stuck: Work = async (value) => {
      if (value === 'stuck') await wait(clock, 60_000);
      return value;
    };
    const parts = { topic, clock, isOrdered: false };
    await live({ ...parts, sink: store.committing(), work: stuck, checkpoints: kept.begin(), cancelAtMs: 5000 });
    expect(kept.last?.roots['Read']).not.toHaveProperty('partitions');
    topic.add(1, 'x', 'stuck', 'z');
    const second = kept.last as Checkpoint;
    await live({
      ...parts,
      sink: store.committing(),
      work: stuck,
      checkpoints: kept.begin(),
      resumeFrom: second,
      cancelAtMs: 5000,
    });
    expect(topic.opened).toEqual(['0: from 1']);
    expect(topic.settled.at(-1)).toBe('0: 1,2,3; 1: 1,2,3');
    topic.add(2, 'new');
    const third = kept.last as Checkpoint;
    await live({ ...parts, sink: store.committing(), checkpoints: kept.begin(), resumeFrom: third });
    expect(store.rows.map(({ id }) => id).sort()).toEqual(['0:0', '0:1', '0:2', '1:0', '1:1', '1:2', '2:0']);
  });

  it('is kept for a partition that is not opened, until an incarnation opens it again', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'a', 'stuck', 'c').add(1, 'x', 'stuck', 'z').add(2, 'q');
    const kept = memoryCheckpoints();
    const store = new Store();
    const stuck: Work = async (value) => {
      if (value === 'stuck') await wait(clock, 60_000);
      return value;
    };
    const parts = { topic, clock, isOrdered: false };
    const reading = { hasPositions: true };
    await live({
      ...parts,
      reading,
      sink: store.committing(),
      work: stuck,
      checkpoints: kept.begin(),
      cancelAtMs: 5000,
      window: 4,
      checkpointEvery: { everyMs: 1 },
    });
    const first = kept.last as Checkpoint;
    const without = { ...reading, partitions: [1] };
    await live({ ...parts, reading: without, sink: store.committing(), checkpoints: kept.begin(), resumeFrom: first });
    const second = kept.last as Checkpoint;
    expect(topic.settled.at(-1)).toBe('1: 3');
    expect(second.roots['Read']?.partitions?.['0']).toEqual(first.roots['Read']?.partitions?.['0']);
    expect(second.roots['Read']?.partitions?.['2']).toEqual({ watermark: 1, born: 1, passed: {} });
    await live({ ...parts, reading, sink: store.committing(), checkpoints: kept.begin(), resumeFrom: second });
    expect(store.byPartition).toEqual({ 0: ['a', 'c', 'stuck'], 1: ['x', 'z', 'stuck'], 2: ['q'] });
  });

  it('has the numbers of the source, with a first number and gaps', async () => {
    const clock = virtualClock();
    const topic = new Topic();
    topic.partitions.set(
      0,
      [100, 101, 105, 109].map((offset) => ({ offset, value: `m${offset}` })),
    );
    topic.partitions.set(
      4,
      [7, 8].map((offset) => ({ offset, value: `m${offset}` })),
    );
    const kept = memoryCheckpoints();
    const store = new Store();
    const stuck: Work = async (value) => {
      if (value === 'm101') await wait(clock, 60_000);
      return value;
    };
    const parts = { topic, clock, isOrdered: false, reading: { hasOffsets: true } };
    await live({ ...parts, sink: store.committing(), work: stuck, checkpoints: kept.begin(), cancelAtMs: 5000 });
    expect(topic.settled.at(-1)).toBe('0: 101,105,110; 4: 9');
    expect(kept.last?.roots['Read']).toMatchObject({
      watermark: 3,
      partitions: { 0: { first: 100 }, 4: { first: 7 } },
    });
    const resumeFrom = kept.last as Checkpoint;
    await live({ ...parts, sink: store.committing(), checkpoints: kept.begin(), resumeFrom });
    expect(store.rows.map(({ id }) => id).sort()).toEqual(['0:100', '0:101', '0:105', '0:109', '4:7', '4:8']);
    expect(topic.settled.at(-1)).toBe('0: 110; 4: 9');
  });

  it('is refused where a partition ends before what was read of it', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'a').add(1, 'x', 'y', 'stuck');
    const kept = memoryCheckpoints();
    const stuck: Work = async (value) => {
      if (value === 'stuck') await wait(clock, 60_000);
      return value;
    };
    const parts = { topic, clock, isOrdered: false };
    await live({ ...parts, sink: new Store().committing(), work: stuck, checkpoints: kept.begin(), cancelAtMs: 5000 });
    topic.partitions.get(1)?.pop();
    const resumeFrom = kept.last as Checkpoint;
    await expect(
      live({ ...parts, sink: new Store().committing(), checkpoints: kept.begin(), resumeFrom }),
    ).rejects.toThrow(
      "Partition 1 of source 'Read' ended before record 2, but had 3 records in an earlier incarnation",
    );
  });

  it('continues behind all earlier numbers where records cannot be read again', async () => {
    const clock = virtualClock();
    const store = new Store();
    const kept = memoryCheckpoints();
    const queues = new Map([
      [0, ['a', 'b', 'c']],
      [1, ['x', 'y']],
    ]);
    const source = (): Source<string> => ({
      isReplayable: false,
      open: () =>
        [...queues].map(([partition, queue]) => ({
          partition,
          read: () => {
            const record = queue.shift();
            return record === undefined ? null : { records: [record] };
          },
        })),
    });
    const flow = (isStuck: boolean) =>
      defineWorkflow({
        name: 'Queue',
        build: (tasks) =>
          tasks
            .task('Read', connectorSource(source()))
            .task(
              'Work',
              ['Read'],
              asyncTask(async (value: string) => {
                if (isStuck && value === 'b') await wait(clock, 60_000);
                return value;
              }),
            )
            .task('Write', ['Work'], connectorSink(store.committing(), { ordered: false })),
      });
    const run = flow(true).run(undefined, { clock, checkpoints: kept.begin() });
    clock.schedule(5000, () => {
      run.cancel();
    });
    await clock.runUntil(run.finished);
    queues.set(0, ['d']);
    queues.set(1, ['z']);
    const resumeFrom = kept.last as Checkpoint;
    await clock.runUntil(flow(false).run(undefined, { clock, checkpoints: kept.begin(), resumeFrom }).finished);
    expect(store.rows.map(({ id }) => id).sort()).toEqual(['0:0', '0:2', '0:3', '1:0', '1:1', '1:2']);
  });
});

describe('a record of a partition', () => {
  it('has an identity in its dead letter, which is redone for that partition only', async () => {
    const clock = virtualClock();
    const topic = new Topic().add(0, 'a', 'b').add(2, 'bad', 'y');
    const kept = memoryCheckpoints();
    const store = new Store();
    const letters: DeadLetter[] = [];
    const deadLetters = {
      write: (letter: DeadLetter) => {
        letters.push(letter);
      },
      isFull: false,
      whenReady: () => undefined,
      whenBroken: () => undefined,
      close: () => Promise.resolve(),
    };
    const seen: string[] = [];
    const refuse: Work = (value) => (value === 'bad' ? Promise.reject(new Error('Refused')) : Promise.resolve(value));
    const parts = { topic, clock, isOrdered: false, deadLetters };
    await live({ ...parts, sink: store.committing(), work: refuse, checkpoints: kept.begin() });
    expect(letters.map(({ lineage }) => lineage)).toEqual([{ root: 'Read', partition: 2, number: 0 }]);
    const redo = letters.map(({ task, lineage }) => ({ task, lineage }));
    const resumeFrom = kept.last as Checkpoint;
    const work: Work = (value, { partition, number }) => {
      seen.push(`${partition}:${number}`);
      return Promise.resolve(value);
    };
    await live({ ...parts, sink: store.committing(), work, checkpoints: kept.begin(), resumeFrom, redo });
    expect(seen).toEqual(['2:0']);
    expect(store.rows.map(({ id }) => id).sort()).toEqual(['0:0', '0:1', '2:0', '2:1']);
  });

  it('is folded once by a boundary that a resumed run computes again', async () => {
    const clock = virtualClock();
    const topic = new Topic();
    for (let n = 1; n <= 30; n++) topic.add(n % 3, `${n}`);
    const kept = memoryCheckpoints();
    const results: number[] = [];
    const flow = (slowest: number) =>
      defineWorkflow({
        name: 'Sum',
        build: (tasks) =>
          tasks
            .task(
              'Read',
              connectorSource(topic.source(clock, { delayMs: (partition) => (partition === slowest ? 90 : 30) })),
            )
            .task(
              'Wait',
              ['Read'],
              asyncTask(async (value: string) => {
                await wait(clock, 50);
                return value;
              }),
            )
            .task(
              'Sum',
              ['Wait'],
              aggregateTask({
                init: () => 0,
                add: (sum: number, value: string) => sum + Number(value),
                finish: (sum: number) => sum,
              }),
            )
            .task(
              'End',
              ['Sum'],
              sinkTask((sum: number) => {
                results.push(sum);
              }),
            ),
      });
    const options = { clock, window: 4, checkpointEvery: { everyMs: 1 } };
    const run = flow(0).run(undefined, { ...options, checkpoints: kept.begin() });
    clock.schedule(300, () => {
      run.cancel();
    });
    await clock.runUntil(run.finished);
    expect(kept.last?.roots['Read']?.partitions).toBeDefined();
    const resumeFrom = kept.last as Checkpoint;
    await clock.runUntil(flow(2).run(undefined, { ...options, checkpoints: kept.begin(), resumeFrom }).finished);
    expect(results).toEqual([465]);
  });

  it('keeps its identity in a synchronous task', async () => {
    const topic = new Topic().add(1, 'a').add(2, 'b');
    const ids: LineageId[] = [];
    const flow = defineWorkflow({
      name: 'Ids',
      build: (tasks) =>
        tasks.task('Read', connectorSource(topic.source(virtualClock()))).task(
          'Same',
          ['Read'],
          syncTask((value: string, { id }) => {
            ids.push(id);
            return value;
          }),
        ),
    });
    await flow.run().finished;
    expect(ids).toEqual([
      { root: 'Read', partition: 1, number: 0 },
      { root: 'Read', partition: 2, number: 0 },
    ]);
  });
});

/** `PARTITION_RUNS=20000 npm run jest -- connect/partitions` runs more of them. */
const RUNS = Number(process.env['PARTITION_RUNS'] ?? (isLong ? 200 : 60));

describe('a run over random partitions that is killed at random moments', () => {
  it.each([
    ['commits', (store: Store) => store.committing()],
    ['keeps the lineages of its rows', (store: Store) => store.holding()],
  ])(
    'writes each record exactly once into a sink that %s',
    async (_, sinkOf) => {
      const trial = fc.record({
        sizes: fc.array(fc.nat({ max: 25 }), { minLength: 1, maxLength: 5 }),
        hasOffsets: fc.boolean(),
        hasPositions: fc.boolean(),
        isOrdered: fc.boolean(),
        window: fc.integer({ min: 1, max: 16 }),
        gaps: fc.infiniteStream(fc.constantFrom(1, 1, 1, 2, 5)),
        delays: fc.infiniteStream(fc.constantFrom(0, 0, 10, 40, 150, 400)),
        readDelays: fc.infiniteStream(fc.constantFrom(0, 0, 20, 120)),
        kills: fc.array(fc.record({ atMs: fc.integer({ min: 1, max: 1500 }), left: fc.integer({ min: 0, max: 31 }) }), {
          maxLength: 5,
        }),
      });
      await fc.assert(
        fc.asyncProperty(
          trial,
          async ({ sizes, gaps, delays, readDelays, kills, hasOffsets, hasPositions, ...rest }) => {
            const next = (stream: Iterator<number>): number => stream.next().value as number;
            const [gap, delay, readDelay] = [
              gaps[Symbol.iterator](),
              delays[Symbol.iterator](),
              readDelays[Symbol.iterator](),
            ];
            const clock = virtualClock();
            const topic = new Topic();
            sizes.forEach((size, partition) => {
              let offset = next(gap);
              topic.partitions.set(
                partition,
                Array.from({ length: size }, (__, n) => ({
                  offset: (offset += next(gap)),
                  value: `${partition}/${n}`,
                })),
              );
            });
            const store = new Store();
            const kept = memoryCheckpoints();
            const work: Work = async (value) => {
              const ms = next(delay);
              if (ms > 0) await wait(clock, ms);
              return value;
            };
            const ends: ({ atMs: number; left: number } | undefined)[] = [...kills, undefined];
            const watermarks = new Map<string, number>();
            for (const end of ends) {
              const all = sizes.map((__, partition) => partition);
              const some = all.filter((partition) => (((end?.left ?? 31) >> partition) & 1) === 1);
              const { last } = kept;
              await live({
                topic,
                clock,
                sink: sinkOf(store),
                work,
                ...rest,
                reading: {
                  partitions: some.length === 0 ? all : some,
                  delayMs: () => next(readDelay),
                  hasOffsets,
                  hasPositions,
                },
                checkpoints: kept.begin(),
                checkpointEvery: { everyMs: 1 },
                ...(last && { resumeFrom: last }),
                ...(end && { cancelAtMs: end.atMs }),
              });
              for (const [partition, { watermark }] of Object.entries(kept.last?.roots['Read']?.partitions ?? {})) {
                expect(watermark).toBeGreaterThanOrEqual(watermarks.get(partition) ?? 0);
                watermarks.set(partition, watermark);
              }
            }
            const expected = [...topic.partitions.values()].flatMap((messages) => messages.map(({ value }) => value));
            expect(store.rows.map(({ value }) => value).sort()).toEqual(expected.sort());
            expect(new Set(store.rows.map(({ id }) => id)).size).toBe(expected.length);
          },
        ),
        { numRuns: RUNS, seed: Number(process.env['PARTITION_SEED'] ?? 20_261_127) },
      );
    },
    60_000 + RUNS * 300,
  );
});
