/**
 * Sends records to the threads that own the states of their keys, and delivers the results in rounds.
 * A round is a number of consecutive records of the input, in root order. Its records go to the threads of their
 * partitions. A thread answers with outputs and with the states that it has changed. When all records of a round, and
 * of the rounds before it, are answered, the round is finished: in one turn of the event loop, its states and its
 * outputs are passed to `accept`, and its records leave their root. So the owner of the states always has the states
 * after a prefix of the input, independent of the order in which threads answer. A checkpoint can contain these states,
 * and a thread that replaces a dead one continues with them.
 *
 * Guarantees: the records of a key are processed in root order, also after the death of a thread. A round has at most a
 * quarter of the window, so threads need not wait for each other while the window has further records.
 */
import type { Subscriber } from 'rxjs';
import type { Chunk, ChunkResult, KeyedWorkload, PlacedStates } from '../execution/executor.js';
import { OpenWorkload, type WorkloadOwner } from '../execution/open-workload.js';
import { skip, type Batch, type Lineage } from '../model/record.js';
import { Intake, type Arrival } from './intake.js';
import type { Engine } from './operate.js';
import type { TaskScope } from './task-scope.js';

/** The place where a record is processed. */
export interface Placed {
  readonly partition: number;
  /** The place of its key in the state. */
  readonly place: number;
  /** For the first record of a key that an earlier incarnation left: its state, in an array of one item. */
  readonly seed?: readonly [state: unknown] | undefined;
}

/** A round whose records were all answered. `Note` is data of the owner about the round. */
export interface FinishedRound<Note> {
  readonly note: Note;
  readonly lineages: readonly Lineage[];
  /** The places of the records, in root order. */
  readonly places: readonly number[];
  /** Per record, its output or a skip; `ENDED` if it failed, undefined for an aggregate. */
  readonly outputs: readonly unknown[];
  /** The states that were changed, by their places. */
  readonly states: ReadonlyMap<number, unknown>;
}

export interface KeyedRoundsOptions<Note> {
  readonly workload: Pick<KeyedWorkload, 'ref' | 'as' | 'seed' | 'timeoutMs'>;
  readonly partitions: number;
  /** Begins the note of a round. */
  readonly begin: () => Note;
  /** Checks a record and finds its place. Called in root order. A throw ends the record. */
  readonly place: (record: unknown, note: Note) => Placed & { readonly record: unknown };
  /** The states of a partition after the last finished round. */
  readonly statesOf: (partition: number) => Iterable<readonly [place: number, state: unknown]>;
  /** Whether no more records may be sent for now, because the outputs are not read fast enough. */
  readonly isPaused?: () => boolean;
  /** Accepts the next round, in root order. Its records leave their root after the call. */
  readonly accept: (round: FinishedRound<Note>) => void;
  /** Called once, after the last round. */
  readonly onOver: () => void;
}

/** Stands for the output of a record that failed. */
export const ENDED: unique symbol = Symbol('millrace.ended');

interface Round<Note> {
  readonly note: Note;
  readonly arrivals: Arrival[];
  readonly places: number[];
  readonly outputs: unknown[];
  readonly failures: { readonly index: number; readonly error: unknown; readonly attempts: number }[];
  readonly segments: (Segment | undefined)[];
  /** The number of records that are not answered. */
  open: number;
  /** Whether a thread has received a record of the round. Then no more records are added. */
  isStarted: boolean;
}

/** The records of a round that belong to one partition. */
interface Segment {
  /** The number of the first record among all records of the partition. */
  readonly first: number;
  readonly lineages: Lineage[];
  readonly records: unknown[];
  readonly places: number[];
  /** Their positions in the round. */
  readonly indexes: number[];
  readonly forgotten: readonly number[];
  readonly seeds: Map<number, unknown>;
  /** The states that the answered records have changed. */
  readonly states: Map<number, unknown>;
  /** The number of records that were sent. */
  sent: number;
}

export class KeyedRounds<Note> implements Engine<unknown> {
  private readonly options: KeyedRoundsOptions<Note>;
  private readonly scope: TaskScope;
  private readonly intake: Intake;
  private readonly partitions: readonly Partition<Note>[];
  /** The rounds that are not finished, in root order. */
  private readonly rounds: Round<Note>[] = [];
  private readonly limit: number;
  private partitionsOver = 0;

  constructor(options: KeyedRoundsOptions<Note>, scope: TaskScope, subscriber: Subscriber<never>) {
    this.options = options;
    this.scope = scope;
    this.intake = new Intake(scope, subscriber);
    this.limit = Math.max(1, Math.floor((scope.inputs[0]?.root.window ?? 1) / 4));
    this.partitions = Array.from({ length: options.partitions }, (_, partition) => {
      return new Partition(partition, options, scope, {
        roundsOpen: this.rounds,
        onAnswer: () => {
          this.finishRounds();
        },
        onOver: () => {
          if (++this.partitionsOver === this.partitions.length) options.onOver();
        },
        onError: (error) => {
          subscriber.error(error);
        },
      });
    });
    scope.account.watch(() => {
      const queued = this.partitions.reduce((sum, partition) => sum + partition.queued, 0);
      const held = this.rounds.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
      // Answered records of an unfinished round are neither in a checkpoint nor in a thread. They count as waiting.
      const running = this.partitions.reduce((sum, { workload }) => sum + workload.running, 0);
      return { queued: this.intake.size + queued, running, waiting: held - queued - running };
    });
  }

  accept(batch: Batch<unknown>, input: number): void {
    this.intake.accept(batch, input);
    this.distribute();
  }

  endInput(): void {
    for (const { workload } of this.partitions) workload.endInput();
  }

  stop(): void {
    for (const { workload } of this.partitions) workload.close();
  }

  /** Reports that `isPaused` may have become false. */
  wake(): void {
    for (const partition of this.partitions) if (partition.queued > 0) partition.workload.wake();
  }

  /** Reports that no later record has this place. */
  forget({ partition, place }: Placed): void {
    this.partitions[partition]?.forget(place);
  }

  private distribute(): void {
    const { intake, scope, options } = this;
    while (intake.size > 0) {
      const arrival = intake.shift();
      const round = this.current();
      try {
        const placed = options.place(arrival.value, round.note);
        (this.partitions[placed.partition] as Partition<Note>).push(round, arrival, placed);
      } catch (error) {
        const { lineage, value: record } = arrival;
        scope.giveUp({ lineage, record, error, attempts: 1, takenFrom: scope.inputs[0]?.root });
        intake.letGo(arrival);
      }
    }
    this.wake();
  }

  /** The round to which the next record belongs. */
  private current(): Round<Note> {
    const last = this.rounds.at(-1);
    if (last !== undefined && !last.isStarted && last.arrivals.length < this.limit) return last;
    const round: Round<Note> = {
      note: this.options.begin(),
      arrivals: [],
      places: [],
      outputs: [],
      failures: [],
      segments: this.partitions.map(() => undefined),
      open: 0,
      isStarted: false,
    };
    this.rounds.push(round);
    return round;
  }

  private finishRounds(): void {
    for (let first = this.rounds[0]; first?.isStarted === true && first.open === 0; first = this.rounds[0]) {
      this.rounds.shift();
      this.finish(first);
    }
  }

  private finish({ note, arrivals, places, outputs, failures, segments }: Round<Note>): void {
    const { scope, options } = this;
    const [edge] = scope.inputs;
    for (const { index, error, attempts } of failures) {
      const { lineage, value: record } = arrivals[index] as Arrival;
      scope.giveUp({ lineage, record, error, attempts, takenFrom: edge?.root });
    }
    const states = new Map<number, unknown>();
    for (const segment of segments) for (const [place, state] of segment?.states ?? []) states.set(place, state);
    const lineages = arrivals.map(({ lineage }) => lineage);
    options.accept({ note, lineages, places, outputs, states });
    edge?.root.leave(edge.exit, lineages);
  }
}

interface PartitionHandlers<Note> {
  readonly roundsOpen: readonly Round<Note>[];
  readonly onAnswer: () => void;
  readonly onOver: () => void;
  readonly onError: (error: unknown) => void;
}

/** The records of one partition, in root order. */
class Partition<Note> implements WorkloadOwner {
  readonly workload: OpenWorkload;
  queued = 0;
  private readonly partition: number;
  private readonly options: KeyedRoundsOptions<Note>;
  private readonly scope: TaskScope;
  private readonly handlers: PartitionHandlers<Note>;
  private pushed = 0;
  private forgotten: number[] = [];

  constructor(
    partition: number,
    options: KeyedRoundsOptions<Note>,
    scope: TaskScope,
    handlers: PartitionHandlers<Note>,
  ) {
    const { executor, task, runId, inputs } = scope;
    this.partition = partition;
    this.options = options;
    this.scope = scope;
    this.handlers = handlers;
    const workload: KeyedWorkload = { ...options.workload, kind: 'keyed', task, runId, partition };
    this.workload = new OpenWorkload(executor, workload, this, { window: inputs[0]?.root.window ?? 1 });
  }

  forget(place: number): void {
    this.forgotten.push(place);
  }

  push(round: Round<Note>, arrival: Arrival, { place, seed, record }: Placed & { readonly record: unknown }): void {
    const segment = (round.segments[this.partition] ??= this.begin());
    segment.indexes.push(round.arrivals.length);
    segment.lineages.push(arrival.lineage);
    segment.records.push(record);
    segment.places.push(place);
    if (seed !== undefined) segment.seeds.set(place, seed[0]);
    round.arrivals.push(arrival);
    round.places.push(place);
    round.outputs.push(undefined);
    round.open++;
    this.pushed++;
    this.queued++;
  }

  states(): PlacedStates {
    const all = new Map(this.options.statesOf(this.partition));
    // Adds the answers of the rounds that are not finished.
    for (const { segments } of this.handlers.roundsOpen) {
      for (const [place, state] of segments[this.partition]?.states ?? []) all.set(place, state);
    }
    return placed(all);
  }

  next(max: number, from: number): Chunk | undefined {
    if (this.queued === 0 || this.options.isPaused?.() === true) return undefined;
    const { round, segment } = this.find(from);
    const start = segment.sent;
    const end = Math.min(segment.records.length, start + max);
    round.isStarted = true;
    segment.sent = end;
    this.queued -= end - start;
    return {
      from,
      lineages: segment.lineages.slice(start, end),
      records: segment.records.slice(start, end),
      places: segment.places.slice(start, end),
      forgotten: segment.forgotten,
      seeds: segment.seeds.size > 0 ? placed(segment.seeds) : undefined,
    };
  }

  settle({ from, records }: Chunk, { outputs, endings, changed, elapsedMs }: ChunkResult): void {
    const { round, segment } = this.find(from);
    const indexes = segment.indexes.slice(from - segment.first, from - segment.first + records.length);
    if (outputs.length > 0) indexes.forEach((index, i) => (round.outputs[index] = outputs[i]));
    for (const { index: at, skip: reason, error, attempts = 1 } of endings) {
      const index = indexes[at] as number;
      round.outputs[index] = reason === undefined ? ENDED : skip(reason);
      if (reason === undefined) round.failures.push({ index, error, attempts });
    }
    changed?.places.forEach((place, i) => segment.states.set(place, changed.states[i]));
    const { scope } = this;
    const [elapsed] = elapsedMs;
    if (elapsed !== undefined) {
      scope.sampleLatency(elapsed / records.length);
      scope.account.meter.pooled(elapsed);
    }
    scope.account.touch(scope.clock.monotonicMs());
    round.open -= records.length;
    if (round.open === 0) this.handlers.onAnswer();
  }

  end(): void {
    this.handlers.onOver();
  }

  fail(error: unknown): void {
    this.handlers.onError(error);
  }

  private begin(): Segment {
    const { pushed: first, forgotten } = this;
    this.forgotten = [];
    return {
      first,
      lineages: [],
      records: [],
      places: [],
      indexes: [],
      forgotten,
      seeds: new Map(),
      states: new Map(),
      sent: 0,
    };
  }

  /** The round and segment of the record with this number. There are only a few open rounds. */
  private find(number: number): { round: Round<Note>; segment: Segment } {
    for (const round of this.handlers.roundsOpen) {
      const segment = round.segments[this.partition];
      if (segment !== undefined && number < segment.first + segment.records.length) return { round, segment };
    }
    throw new Error(`There is no record ${number} in partition ${this.partition} of '${this.scope.task}'`);
  }
}

function placed(states: ReadonlyMap<number, unknown>): PlacedStates {
  return { places: [...states.keys()], states: [...states.values()] };
}
