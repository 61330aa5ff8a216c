/**
 * Keeps the progress of a lane in Kafka: the checkpoint, the state of its boundaries, its dead letters and its offsets,
 * in the transaction of its outputs.
 *
 * Guarantees: all of this becomes visible together, or nothing does. Only the owner of the lane can write. The last
 * checkpoint of a completed lane also writes an end marker to each partition of its output topics. A checkpoint from
 * which no other worker could continue is refused.
 */
import { doneText } from '../connectors/kafka/done-text.js';
import type { CommittedOffset, NewRecord, TopicDescription } from '../connectors/kafka/port.js';
import { settledOf, type Checkpoint, type CheckpointStore, type Json } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import { exitLabel, type GraphPlan } from '../model/graph.js';
import type { StateChange, StateEntries, StateStore } from '../model/state.js';
import { knownOrder, ResumePlan } from '../runtime/resume/resume-plan.js';
import type { TaskDeclaration } from '../tasks/flow.js';
import type { EdgeSink } from './edge-sink.js';
import type { EdgeSource } from './edge-source.js';
import type { LaneLetters } from './lane-letters.js';
import type { LaneTally } from './lane-tally.js';
import { inOrder, stateRecord, type LanePast } from './lane-past.js';
import type { LaneTransaction, Offsets } from './lane-transaction.js';
import { endMarker } from './wire.js';

/** A topic that the lane reads. */
export interface LaneInput {
  /** The source that reads it. */
  readonly task: string;
  readonly topic: TopicDescription;
  readonly source: EdgeSource;
}

/** A topic that the lane writes. */
export interface LaneOutput {
  readonly topic: TopicDescription;
  /** The number of the lane among all lanes that write to the topic. */
  readonly lane: number;
  readonly sink: EdgeSink;
}

export interface LaneStoreParts {
  readonly transaction: LaneTransaction;
  /** The number of the lane among all lanes of the run, which is its partition in the state topic. */
  readonly lane: number;
  readonly stage: string;
  readonly stateTopic: TopicDescription;
  readonly letterTopic: TopicDescription;
  readonly letters: LaneLetters;
  readonly inputs: readonly LaneInput[];
  /** The topics that the lane writes. Each partition receives the end marker of the lane. */
  readonly outputs: readonly LaneOutput[];
  readonly past: LanePast;
  /** The totals of the lane until now. */
  readonly tally: () => LaneTally;
  /** The graph of the stage. */
  readonly plan: GraphPlan;
  readonly declarations: readonly TaskDeclaration[];
  /** Throws MILLRACE_LOCKED once another worker may have the lane. */
  readonly assertOwned: () => void;
}

export class LaneStore implements CheckpointStore {
  readonly incarnation: number;
  readonly state: StateStore;
  private readonly parts: LaneStoreParts;
  private readonly lostListeners: ((error: unknown) => void)[] = [];
  /** By space and key: the number of the first write. */
  private readonly firsts = new Map<string, number>();
  private nextFirst = 0;
  private appended = 0;
  private lastWritten = '';

  constructor(parts: LaneStoreParts) {
    this.parts = parts;
    const { past } = parts;
    this.incarnation = (past.checkpoint?.incarnation ?? 0) + 1;
    for (const [space, entries] of past.entries) {
      for (const [key, [first]] of entries) {
        this.firsts.set(JSON.stringify([space, key]), first);
        this.nextFirst = Math.max(this.nextFirst, first + 1);
      }
    }
    this.state = { append: (changes) => this.append(changes), restore: () => Promise.resolve(this.restored()) };
  }

  read(): Promise<Checkpoint | undefined> {
    return Promise.resolve(this.parts.past.checkpoint);
  }

  assertOwned(): void {
    this.parts.assertOwned();
  }

  whenLost(listener: (error: unknown) => void): void {
    this.lostListeners.push(listener);
  }

  /** Fails the run of the lane, because another worker may have it. */
  lose(error: unknown): void {
    for (const listener of this.lostListeners) listener(error);
  }

  async write(checkpoint: Checkpoint): Promise<void> {
    this.assertRepeatable(checkpoint);
    this.assertOwned();
    const { transaction, lane, stateTopic, letterTopic, letters, outputs, plan, declarations } = this.parts;
    const resumePlan = new ResumePlan(plan, declarations, true, knownOrder(checkpoint));
    const due = letters.removeDue(checkpoint, resumePlan, this.incarnation + 1);
    const text = JSON.stringify({ ...checkpoint, at: 0 });
    // An idle lane writes nothing.
    if (!transaction.isOpen && due.letters.length + due.state.length === 0 && text === this.lastWritten) return;
    if (due.letters.length > 0) await transaction.write(letterTopic, due.letters, 0);
    if (checkpoint.isComplete) await this.writeEndMarkers(outputs);
    else await Promise.all(outputs.map(({ sink }) => sink.writeTimeMarkers()));
    await transaction.write(
      stateTopic,
      [...due.state, stateRecord(['tally'], this.parts.tally()), stateRecord(['checkpoint'], checkpoint)],
      lane,
    );
    await transaction.commit(this.offsetsOf(checkpoint));
    this.lastWritten = text;
  }

  private async writeEndMarkers(outputs: readonly LaneOutput[]): Promise<void> {
    const { generation } = this.parts.past;
    const markers = outputs.flatMap(({ topic, lane }) =>
      [...new Array(topic.partitions).keys()].map((n) => ({ topic, n, marker: [endMarker({ lane, generation })] })),
    );
    await Promise.all(markers.map(({ topic, n, marker }) => this.parts.transaction.write(topic, marker, n)));
  }

  /** The changes are copied before this method returns. */
  private append(changes: Iterable<StateChange>): Promise<Json> {
    const records: NewRecord[] = [];
    try {
      for (const { space, key, entry } of changes) records.push(this.changed(space, key, entry));
    } catch (error) {
      return Promise.reject(error);
    }
    const position = ++this.appended;
    const { transaction, stateTopic, lane } = this.parts;
    return transaction.write(stateTopic, records, lane).then(() => position);
  }

  private changed(space: string, key: string, entry: StateChange['entry']): NewRecord {
    const name = JSON.stringify([space, key]);
    if (entry === undefined) {
      this.firsts.delete(name);
      return stateRecord(['state', space, key], undefined);
    }
    const first = this.firsts.get(name) ?? this.nextFirst++;
    this.firsts.set(name, first);
    return stateRecord(['state', space, key], [first, entry[0]]);
  }

  private restored(): ReadonlyMap<string, StateEntries> {
    return new Map([...this.parts.past.entries].map(([space, entries]) => [space, inOrder(entries)]));
  }

  /** The progress of the lane: the watermark of each topic, with the lineages done above the watermark as metadata. */
  private offsetsOf({ roots }: Checkpoint): Offsets {
    const { inputs, plan } = this.parts;
    return new Map(
      inputs.map(({ task, topic, source }) => {
        const exits = (plan.roots.get(task)?.exits ?? []).map(exitLabel);
        const progress = roots[task];
        const settled = progress && settledOf(progress, exits).partitions?.[source.partition];
        const offsets = new Map<number, CommittedOffset>();
        if (settled !== undefined) {
          const offset = source.settledUpTo(settled.watermark);
          offsets.set(source.partition, { offset, metadata: doneText(offset, settled.done) });
        }
        return [topic.name, offsets];
      }),
    );
  }

  /**
   * Throws MILLRACE_SPREAD if another worker could not continue from the checkpoint, or if the outputs would not
   * have the same identities.
   */
  private assertRepeatable({ obstacle, uncertain = [] }: Checkpoint): void {
    const [task] = uncertain;
    if (obstacle === undefined && task === undefined) return;
    const why = obstacle ?? `the outputs of '${task ?? ''}' depend on more than their input`;
    throw new MillraceError(
      'MILLRACE_SPREAD',
      `'${this.parts.stage}' cannot be carried by Kafka, because another worker could not continue it: ${why}`,
    );
  }
}
