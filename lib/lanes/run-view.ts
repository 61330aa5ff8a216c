/**
 * Follows a run that is spread over several processes: reads the topics of news and of dead letters, and reports them
 * as the events of one run.
 *
 * Guarantees: each dead letter is reported once, also after workers died. A notice that several lanes emit is reported
 * once.
 */
import type { KafkaPort, RawRecord, TopicDescription } from '../connectors/kafka/port.js';
import type { RunEvent } from '../model/events.js';
import type { DeadLetter } from '../model/ports.js';
import { recordsOf } from './lane-past.js';
import { letterOf } from './letter-topic.js';
import { newsOf, type LaneNews } from './lane-news.js';
import type { RunTotals } from './run-totals.js';

export interface RunViewParts {
  readonly client: KafkaPort;
  readonly totals: RunTotals;
  readonly eventTopic: TopicDescription;
  readonly letterTopic: TopicDescription;
  /** The offsets of letters that replays have taken. They are not reported. */
  readonly taken: ReadonlySet<number>;
  readonly timeoutMs: number;
  /** Called for each event of the run as a whole, in order. */
  readonly emit: (event: RunEvent) => void;
  /** Called for each dead letter, before its event. */
  readonly onLetter: (letter: DeadLetter) => void;
}

/** The last failure of a lane. */
export type StoppedLane = Extract<LaneNews, { kind: 'stopped' }>;

const MOST_NOTICES = 1000;
const MEASURE_EVERY_MS = 1000;

export class RunView {
  private readonly parts: RunViewParts;
  private readonly started = new Set<string>();
  private readonly ended = new Set<string>();
  private readonly notices = new Set<string>();
  /** By topic: the next offset. */
  private readonly places = new Map<string, number>();
  private measuredAtMs = -Infinity;
  private hasMoved = false;
  private lastStopped: StoppedLane | undefined;

  constructor(parts: RunViewParts) {
    this.parts = parts;
  }

  /** The last stop of a lane, with its reason; undefined if no lane has stopped. */
  get stopped(): StoppedLane | undefined {
    return this.lastStopped;
  }

  /**
   * Reads the new records of both topics, and reports them.
   *
   * @param to 'latest' reads up to the first open transaction, and the next call reads the rest. 'end' waits until
   *   it has ended.
   */
  async look(to: 'end' | 'latest'): Promise<void> {
    const { eventTopic, letterTopic, taken, totals, onLetter, emit } = this.parts;
    for await (const record of this.fresh(letterTopic, to)) {
      const letter = letterOf(record)?.letter;
      if (letter === undefined || taken.has(record.offset)) continue;
      totals.addLetter(letter.task);
      onLetter(letter);
      emit({ type: 'dead-letter', at: letter.lastAt, letter });
    }
    for await (const record of this.fresh(eventTopic, to)) {
      const news = newsOf(record);
      if (news !== undefined) this.accept(news);
    }
    if (this.hasMoved && performance.now() - this.measuredAtMs >= MEASURE_EVERY_MS) this.measure();
  }

  /** Emits the progress of the run. */
  measure(): void {
    this.hasMoved = false;
    this.measuredAtMs = performance.now();
    this.parts.emit(this.parts.totals.progress());
  }

  private async *fresh(topic: TopicDescription, to: 'end' | 'latest'): AsyncGenerator<RawRecord> {
    const { client, timeoutMs } = this.parts;
    const from = this.places.get(topic.name) ?? 0;
    for await (const record of recordsOf(client, topic, 0, timeoutMs, from, to)) {
      this.places.set(topic.name, record.offset + 1);
      yield record;
    }
  }

  private accept(news: LaneNews): void {
    const { totals, emit } = this.parts;
    if (news.kind === 'event') this.forward(news.event);
    else if (news.kind === 'stopped') {
      this.lastStopped = news;
      const message = `${totals.placeOf(news.lane)} stopped, and another worker may continue it: ${news.code}: ${news.message}`;
      emit({ type: 'notice', at: news.at, message });
    } else if (totals.accept(news.lane, news.tally, news.isFinal, news.generation)) {
      this.hasMoved = true;
      this.announce(news.at);
    }
  }

  private forward(event: RunEvent): void {
    if (event.type === 'notice') {
      if (this.notices.has(event.message) || this.notices.size >= MOST_NOTICES) return;
      this.notices.add(event.message);
    }
    this.parts.emit(event);
  }

  /** Emits `task-started` and `task-ended` for the tasks that have started or ended since the last call. */
  private announce(at: number): void {
    const { totals, emit } = this.parts;
    for (const task of totals.begun) {
      if (this.started.has(task)) continue;
      this.started.add(task);
      emit({ type: 'task-started', at, task });
    }
    const ended = totals.ended.filter((task) => !this.ended.has(task));
    if (ended.length === 0) return;
    const { counts } = totals;
    for (const task of ended) {
      this.ended.add(task);
      emit({ type: 'task-ended', at, task, counts: counts[task] as (typeof counts)[string] });
    }
  }
}
