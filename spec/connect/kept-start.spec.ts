/** A source whose beginning depends on the moment of the start: a run that dies before its first record keeps it. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask } from 'millrace';
import { connectorSource, type Json, type Source, type SourcePartition } from 'millrace/connect';
import { memoryCheckpoints } from 'millrace/testing';
import type { KafkaPort, TopicDescription } from '#lib/connectors/kafka/port.js';
import { checkOffsets, startsOf } from '#lib/connectors/kafka/source-start.js';

/** A log of two partitions. A run begins behind what they contain when it is first started. */
class Log {
  readonly ends = [5, 7];
  /** The starts that the source was opened with. */
  readonly opened: (Json | undefined)[] = [];

  source(isOver: boolean): Source<string> {
    return {
      isPartitioned: true,
      start: () => [...this.ends],
      open: ({ signal }, _past, start) => {
        this.opened.push(start);
        return (start as readonly number[]).map((from, partition): SourcePartition<string> => {
          let at = from;
          return {
            partition,
            from,
            read: async (max) => {
              const end = this.ends[partition] as number;
              if (at === end && isOver) return null;
              if (at === end) {
                await new Promise((resolve) => {
                  signal.addEventListener('abort', resolve);
                });
              }
              const numbers = Array.from({ length: Math.min(max, end - at) }, (_, index) => at + index);
              at += numbers.length;
              return { numbers, records: numbers.map((number) => `${partition}:${number}`) };
            },
          };
        });
      },
    };
  }
}

describe('a source that begins where the log ends', () => {
  it('begins at the same place again if its run died before the first record', async () => {
    const log = new Log();
    const kept = memoryCheckpoints();
    const written: string[] = [];
    let isOver = false;
    const flow = defineWorkflow({
      name: 'Tail',
      build: (tasks) =>
        tasks.task('Read', connectorSource(log.source(isOver))).task(
          'Write',
          ['Read'],
          sinkTask((record: string) => void written.push(record)),
        ),
    });
    const first = flow.run(undefined, { checkpoints: kept.begin() });
    await new Promise<void>((resolve) => {
      first.events$.subscribe(({ type }) => {
        if (type === 'task-started') resolve();
      });
    });
    first.cancel();
    await first.finished;
    // They arrive while no run is there.
    log.ends[0] = 8;
    log.ends[1] = 9;
    const resumeFrom = kept.last;
    if (resumeFrom === undefined) throw new Error('There is no checkpoint');
    const { startedAt } = resumeFrom;
    isOver = true;
    const second = flow.prepare(undefined, { startedAt }).run({ checkpoints: kept.begin(), resumeFrom });
    expect(await second.finished).toMatchObject({ outcome: 'completed' });
    expect(written.sort()).toEqual(['0:5', '0:6', '0:7', '1:7', '1:8']);
    expect(log.opened.at(-1)).toEqual([5, 7]);
  });
});

describe('the start of a topic', () => {
  const topic = { partitions: 3 } as TopicDescription;
  const client = {
    offsets: (_: unknown, place: unknown) => Promise.resolve(place === 'earliest' ? [0, 0, 0] : [50, 60, 70]),
    committed: () => Promise.resolve(new Map()),
  } as unknown as KafkaPort;
  const request = { client, topic, from: 'latest', startWhenNew: 'earliest', groupId: undefined } as const;

  it.each([
    [{ 3: 1 }, /names partition 3, and topic 't' has 3 partitions/],
    [{ a: 1 }, /names partition a/],
    [{ '-1': 1 }, /names partition -1/],
    [{ 1: 0.5 }, /offset of partition 1 in `from.offsets` to be a whole number from 0 on, got 0.5/],
    [{ 1: -3 }, /got -3/],
  ])('is refused at the offsets %j', (offsets, message) => {
    expect(() => {
      checkOffsets({ offsets }, { ...topic, name: 't' });
    }).toThrow(message);
  });

  it('is the newest record in a new run', async () => {
    const starts = await startsOf({ ...request, past: undefined });
    expect(starts.map(({ from }) => from)).toEqual([50, 60, 70]);
  });

  it('is that of the first incarnation in a resumed run, also in partitions of which nothing has settled', async () => {
    const past = { position: undefined, from: 0, partitions: [{ partition: 1, position: undefined, from: 25 }] };
    const kept = [10, 20].map((from) => ({ from, done: [] }));
    const starts = await startsOf({ ...request, past, kept });
    // Partition 2 was added meanwhile.
    expect(starts.map(({ from }) => from)).toEqual([10, 25, 0]);
  });

  it('of a group keeps what an earlier run of the group has done', async () => {
    const past = { position: undefined, from: 0, partitions: [] };
    const kept = [0, 1, 2].map((from) => ({ from, done: [from + 2, from + 3] }));
    const starts = await startsOf({ ...request, from: 'committed', groupId: 'g', past, kept });
    expect(starts).toEqual(kept.map((one) => ({ ...one, end: undefined })));
  });
});
