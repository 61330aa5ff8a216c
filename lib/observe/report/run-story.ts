/**
 * Collects the events of a run, recorded or live, into the model of a report.
 *
 * Guarantees: memory is bounded for a run of any length, because stretches of time, and reasons of dead letters, are
 * joined when they become too many. A recording that ends without `run-ended`, because the run was killed, has a
 * report up to its last event.
 */
import type { GraphTask, RunEvent } from '../../model/events.js';
import { counted, grouped } from '../../text/printable.js';
import { bucketQuantile } from './bucket-quantile.js';
import type { SlowRecord, TaskProgress } from '../../model/metrics.js';
import type { RunSummary } from '../../model/run-summary.js';
import { entry } from '../../text/entry.js';

/** The work of each task between two `progress` events, or over several of them. Times are milliseconds since 1970. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly tasks: ReadonlyMap<string, TaskStretch>;
}

export interface TaskStretch {
  /** The records that the task finished in this stretch. */
  readonly done: number;
  /** The time that the task was busy, in milliseconds. */
  readonly busyMs: number;
  /** The time that the task could not pass its records on, in milliseconds. */
  readonly blockedMs: number;
  /** The 95th percentile of the records timed in this stretch, in milliseconds; undefined if no record was timed. */
  readonly p95?: number | undefined;
}

export interface ResourceSample {
  readonly at: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly delayMs: number;
}

export interface Reason {
  readonly task: string;
  readonly code: string;
  readonly message: string;
  readonly count: number;
}

/** An event that the report lists. */
export interface Note {
  readonly at: number;
  readonly text: string;
}

export interface RunStory {
  readonly runId: string;
  readonly workflow: string;
  readonly description: string;
  readonly config: unknown;
  readonly graph: readonly GraphTask[];
  readonly startedAt: number;
  /** The time of the last event. */
  readonly endedAt: number;
  readonly incarnations: number;
  /** Absent if the recording ends before the run. */
  readonly summary?: RunSummary | undefined;
  /** Per task, the figures of the last `progress` event. */
  readonly tasks: Readonly<Record<string, TaskProgress>>;
  readonly stretches: readonly Stretch[];
  readonly resources: readonly ResourceSample[];
  readonly deadLetters: readonly Reason[];
  readonly slowest: readonly SlowRecord[];
  readonly notes: readonly Note[];
}

const MOST_STRETCHES = 240;
const MOST_REASONS = 100;
const MOST_NOTES = 200;
const MOST_SLOW = 20;

export class StoryBuilder {
  private start: Extract<RunEvent, { type: 'run-started' }> | undefined;
  private startedAt = 0;
  private endedAt = 0;
  private incarnations = 1;
  private summary: RunSummary | undefined;
  /** An object without a prototype, because a task may have the name `constructor`. */
  private tasks = emptyTasks();
  private stretchFrom = 0;
  private stretches: Stretch[] = [];
  private resources: ResourceSample[] = [];
  private readonly reasons = new Map<string, Reason>();
  private slowest: SlowRecord[] = [];
  private readonly notes: Note[] = [];
  /** The number of notes beyond `MOST_NOTES`. */
  private omittedNotes = 0;

  record(event: RunEvent): void {
    this.endedAt = event.at;
    switch (event.type) {
      case 'run-started':
        if (this.start === undefined) this.startedAt = event.at;
        this.start = event;
        // The counts start again at zero in each incarnation.
        this.tasks = emptyTasks();
        this.summary = undefined;
        this.stretchFrom = event.at;
        break;
      case 'resumed':
        this.incarnations = event.incarnation;
        this.note(event.at, `Resumed, incarnation ${event.incarnation}`);
        break;
      case 'progress':
        this.progress(event);
        break;
      case 'resources': {
        const { rssBytes, heapUsedBytes, eventLoop } = event.process;
        this.resources.push({ at: event.at, rssBytes, heapUsedBytes, delayMs: eventLoop.delayMs.p99 });
        if (this.resources.length > MOST_STRETCHES * 2) this.resources = this.resources.filter((_, i) => i % 2 === 1);
        break;
      }
      case 'dead-letter': {
        const { task, code, message } = event.letter;
        this.reason(task, code, message);
        break;
      }
      case 'slow-records':
        this.slowest = slowestOf([...this.slowest, ...event.records]);
        break;
      case 'run-ended':
        this.summary = event.summary;
        this.slowest = slowestOf([...this.slowest, ...event.summary.slowest]);
        break;
      case 'circuit':
      case 'stall':
      case 'notice':
      case 'subscriber-error':
        this.note(event.at, event.message);
        break;
      case 'dropped': {
        const types = Object.entries(event.types).map(([type, count]) => `${grouped(count)} ${type}`);
        this.note(event.at, `Left out of the recording, because the disk was too slow: ${types.join(', ')}`);
        break;
      }
      case 'task-skipped':
        this.note(event.at, `${event.task} was skipped: ${event.reason}`);
        break;
      case 'draining':
        this.note(event.at, 'Draining');
        break;
      case 'thread-replaced':
        this.note(event.at, `Thread ${event.thread} was replaced`);
        break;
      default:
    }
  }

  /** The model of the report; undefined if the events contain no run. */
  build(): RunStory | undefined {
    const { start, startedAt, endedAt, incarnations, summary, tasks, stretches, resources, slowest } = this;
    if (start === undefined) return undefined;
    const { runId, workflow, description, config, graph } = start;
    const deadLetters = [...this.reasons.values()].sort((a, b) => b.count - a.count);
    const more = { at: endedAt, text: `${counted(this.omittedNotes, 'more note')} not listed here` };
    const notes = this.omittedNotes > 0 ? [...this.notes, more] : this.notes;
    const collected = { tasks, stretches, resources, deadLetters, slowest, notes };
    return { runId, workflow, description, config, graph, startedAt, endedAt, incarnations, summary, ...collected };
  }

  private progress({ at, tasks }: Extract<RunEvent, { type: 'progress' }>): void {
    const elapsedMs = at - this.stretchFrom;
    if (elapsedMs > 0) {
      const parts = Object.entries(tasks).map(([name, task]) => {
        const before = entry(this.tasks, name);
        const done = doneOf(task) - (before === undefined ? 0 : doneOf(before));
        const { busy, blocked } = task.shares;
        const p95 = p95Of(task, before);
        return [name, { done, busyMs: busy * elapsedMs, blockedMs: blocked * elapsedMs, p95 }] as const;
      });
      this.stretches.push({ from: this.stretchFrom, to: at, tasks: new Map(parts) });
      if (this.stretches.length > MOST_STRETCHES) this.stretches = joinPairs(this.stretches);
    }
    this.stretchFrom = at;
    this.tasks = Object.assign(emptyTasks(), tasks);
  }

  private reason(task: string, code: string, message: string): void {
    let key = JSON.stringify([task, code, message]);
    let text = message;
    if (!this.reasons.has(key) && this.reasons.size >= MOST_REASONS) {
      text = 'other messages';
      key = JSON.stringify([task, code]);
    }
    const count = (this.reasons.get(key)?.count ?? 0) + 1;
    this.reasons.set(key, { task, code, message: text, count });
  }

  private note(at: number, text: string): void {
    if (this.notes.length < MOST_NOTES) this.notes.push({ at, text });
    else this.omittedNotes++;
  }
}

/** The records that a task has finished, including the ones it gave up. */
function doneOf({ in: received, out, inFlight }: TaskProgress): number {
  return Math.max(out, received - inFlight);
}

/** The 95th percentile of the records timed since the previous `progress` event. */
function p95Of({ latencyMs: { service } }: TaskProgress, before: TaskProgress | undefined): number | undefined {
  const old = before?.latencyMs.service;
  if (service.count === (old?.count ?? 0)) return undefined;
  const counts = service.buckets.map((count, index) => count - (old?.buckets[index] ?? 0));
  return Math.min(service.max, bucketQuantile(counts, service.count - (old?.count ?? 0), 0.95));
}

function joinPairs(stretches: readonly Stretch[]): Stretch[] {
  const joined: Stretch[] = [];
  for (let i = 0; i < stretches.length; i += 2) {
    const [one, two] = [stretches[i] as Stretch, stretches[i + 1]];
    joined.push(two === undefined ? one : join(one, two));
  }
  return joined;
}

function join(one: Stretch, two: Stretch): Stretch {
  const tasks = [...two.tasks].map(([name, { done, busyMs, blockedMs, p95 }]) => {
    const before = one.tasks.get(name);
    const spent = { busyMs: busyMs + (before?.busyMs ?? 0), blockedMs: blockedMs + (before?.blockedMs ?? 0) };
    const worst = Math.max(p95 ?? 0, before?.p95 ?? 0);
    const slow = p95 === undefined && before?.p95 === undefined ? undefined : worst;
    return [name, { ...spent, done: done + (before?.done ?? 0), p95: slow }] as const;
  });
  return { from: one.from, to: two.to, tasks: new Map(tasks) };
}

function slowestOf(records: readonly SlowRecord[]): SlowRecord[] {
  const known = new Map(
    records.map((record) => [`${record.task} ${record.root} ${record.partition ?? 0} ${record.lineage}`, record]),
  );
  return [...known.values()].sort((a, b) => b.ms - a.ms).slice(0, MOST_SLOW);
}

function emptyTasks(): Record<string, TaskProgress> {
  return Object.create(null) as Record<string, TaskProgress>;
}
