/** The queue of the news of lanes, while the brokers do not accept them. */
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { KafkaPort, NewBatch, TopicDescription } from '#lib/connectors/kafka/port.js';
import { NewsWriter, newsOf, type LaneNews } from '#lib/lanes/lane-news.js';

const TOPIC: TopicDescription = { name: 'events', id: 'events', cluster: 'c', partitions: 1, copies: 1 };

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

it('keeps at most its limit, and counts what finds no room', async () => {
  const seen: LaneNews[] = [];
  const gate: { open?: () => void } = {};
  const held = new Promise<void>((resolve) => (gate.open = resolve));
  const client = {
    write: async ({ records }: NewBatch): Promise<void> => {
      await held;
      for (const { value } of records) seen.push(newsOf({ value } as never) as LaneNews);
    },
  } as KafkaPort;
  const news = new NewsWriter(client, TOPIC);
  const stop = (lane: number): void => {
    news.add({ kind: 'stopped', lane, at: 0, code: 'X', message: 'm' });
  };
  for (let lane = 0; lane < 10_000; lane++) {
    stop(lane);
    if (lane % 1000 === 0) await jest.advanceTimersByTimeAsync(1000);
  }
  const over = news.close();
  gate.open?.();
  await over;
  const stopped = seen.filter(({ kind }) => kind === 'stopped');
  // The batch that is being written, and the queue behind it.
  expect(stopped.length).toBeLessThanOrEqual(2001);
  const dropped = seen.flatMap((one) => (one.kind === 'event' && one.event.type === 'dropped' ? one.event.count : []));
  expect(stopped.length + dropped.reduce((sum, count) => sum + count, 0)).toBe(10_000);
});
