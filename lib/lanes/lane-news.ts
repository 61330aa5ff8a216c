/**
 * The news of lanes, as records of the topic `….events`. Workers write them for the processes that follow the run.
 *
 * Guarantees: a slow or unreachable broker neither slows nor fails a lane. News that find no room in the queue are left
 * out and counted. The totals of a lane that has completed are not news of this kind: they are written in its last
 * transaction.
 */
import type { KafkaPort, NewRecord, RawRecord, TopicDescription } from '../connectors/kafka/port.js';
import { TopicWriter } from '../connectors/kafka/topic-writer.js';
import type { RunEvent } from '../model/events.js';
import type { LaneTally } from './lane-tally.js';

/** One piece of news about a lane. */
export type LaneNews =
  /** The totals of the lane. `isFinal`: the lane has completed, so its totals do not change any more. */
  | {
      readonly kind: 'tally';
      readonly lane: number;
      /** 0 for the run itself, and the number of the replay for its replays. Absent in earlier versions of millrace. */
      readonly generation?: number;
      readonly at: number;
      readonly tally: LaneTally;
      readonly isFinal: boolean;
    }
  /** An event of the run of the lane. */
  | { readonly kind: 'event'; readonly lane: number; readonly event: RunEvent }
  /** The lane stopped, and another worker can continue it. */
  | {
      readonly kind: 'stopped';
      readonly lane: number;
      readonly at: number;
      readonly code: string;
      readonly message: string;
    };

/** The events of a lane that are news. The others concern its own start and end, or are part of its totals. */
const FORWARDED: ReadonlySet<RunEvent['type']> = new Set<RunEvent['type']>([
  ...(['notice', 'stall', 'subscriber-error', 'slow-records', 'dropped'] as const),
  ...(['retry', 'circuit', 'throttled', 'concurrency'] as const),
]);

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MOST_WAITING = 2000;
const FLUSH_EVERY_MS = 200;
const MAX_BYTES = 1024 * 1024;

/** Whether the event is forwarded, unchanged, to the processes that follow the run. */
export function isForwarded({ type }: RunEvent): boolean {
  return FORWARDED.has(type);
}

export function newsRecord(news: LaneNews): NewRecord {
  return { key: null, value: encoder.encode(JSON.stringify(news)), headers: [] };
}

export function newsOf({ value }: RawRecord): LaneNews | undefined {
  return value === null ? undefined : (JSON.parse(decoder.decode(value)) as LaneNews);
}

export class NewsWriter {
  private readonly writer: TopicWriter;
  private waiting: NewRecord[] = [];
  private left = 0;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;

  constructor(client: KafkaPort, topic: TopicDescription) {
    this.writer = new TopicWriter({ client, topic, compression: 'none', maxBytes: MAX_BYTES, producer: undefined });
  }

  add(news: LaneNews): void {
    if (this.waiting.length >= MOST_WAITING) {
      this.left++;
      return;
    }
    this.waiting.push(newsRecord(news));
    this.flushSoon();
  }

  /** Adds an event of the run of a lane, if it is one that is forwarded. */
  event(lane: number, event: RunEvent): void {
    if (isForwarded(event)) this.add({ kind: 'event', lane, event });
  }

  /** Writes the news in the queue. Never rejects. */
  async close(): Promise<void> {
    // The second batch is what arrived while the first one was written.
    for (let batch = 0; batch < 2; batch++) {
      this.flush();
      await this.writing;
    }
    clearTimeout(this.timer);
  }

  private flushSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, FLUSH_EVERY_MS);
  }

  private flush(): void {
    const { waiting, left } = this;
    // One batch at a time: while the brokers do not accept it, further news wait in the queue, which has a limit.
    if (waiting.length === 0 || this.writing !== undefined) return;
    this.waiting = [];
    this.left = 0;
    if (left > 0) {
      const event: RunEvent = { type: 'dropped', at: Date.now(), count: left, types: { 'news of lanes': left } };
      waiting.push(newsRecord({ kind: 'event', lane: -1, event }));
    }
    // A batch that the brokers do not accept within the timeout of the client is lost.
    this.writing = this.writer
      .write(waiting, 0)
      .catch(() => undefined)
      .finally(() => {
        this.writing = undefined;
        if (this.waiting.length > 0) this.flushSoon();
      });
  }
}
