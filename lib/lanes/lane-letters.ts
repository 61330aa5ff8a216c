/**
 * The dead letters of a lane. Each waits for the transaction of the checkpoint that treats its record as done.
 *
 * Guarantees: a letter is written with the first checkpoint after which a new owner of the lane would not process its
 * record again. Before that checkpoint, a new owner would process the record and make the letter itself.
 */
import type { NewRecord } from '../connectors/kafka/port.js';
import { partitionIn, type Checkpoint } from '../model/checkpoint.js';
import type { DeadLetter, DeadLetterStore, DurableLetters, LetterHead } from '../model/ports.js';
import type { ResumePlan } from '../runtime/resume/resume-plan.js';
import { RunPast } from '../runtime/resume/run-past.js';
import { stateRecord } from './lane-past.js';
import { letterRecord } from './letter-topic.js';

/** The letters that wait for a checkpoint before sources pause. */
const MOST_WAITING = 1024;

/** The records of dead letters that a checkpoint writes. */
export interface DueLetters {
  /** The records for the topic of dead letters. */
  readonly letters: readonly NewRecord[];
  /** The records for the state of the lane. */
  readonly state: readonly NewRecord[];
}

export interface LaneLettersParts {
  /** The letters that earlier owners of the lane have stored, by their numbers. */
  readonly past: ReadonlyMap<number, LetterHead>;
  /** The place of the letters, for messages. */
  readonly location: string;
  /** The number of the lane among all lanes of the run. */
  readonly lane: number;
  /** 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
  /** By the name of a topic's writer: the task behind the topic. Letters name that task instead. */
  readonly behind?: ReadonlyMap<string, string>;
  /** By the name of a topic's reader: the topic, without the name of the run. Letters name it as the root of a record. */
  readonly topics?: ReadonlyMap<string, string>;
}

export class LaneLetters implements DeadLetterStore {
  readonly durable: DurableLetters;
  readonly location: string;
  private readonly parts: LaneLettersParts;
  private waiting: DeadLetter[] = [];
  /** The letters in checkpoints whose records a resumed run may meet. */
  private readonly heads: Map<number, LetterHead>;
  private next: number;
  private readonly readyListeners: (() => void)[] = [];

  constructor(parts: LaneLettersParts) {
    this.parts = parts;
    this.location = parts.location;
    this.heads = new Map(parts.past);
    this.next = [...parts.past.keys()].reduce((most, number) => Math.max(most, number), -1) + 1;
    this.durable = {
      persist: () => Promise.resolve(null),
      rewind: (_mark, keeps) => {
        // Checkpoints contain only letters that are kept, so each of them is reported to the run.
        for (const head of this.heads.values()) keeps(head);
        return Promise.resolve(null);
      },
      commit: () => Promise.resolve(),
    };
  }

  get isFull(): boolean {
    return this.waiting.length >= MOST_WAITING;
  }

  write(letter: DeadLetter): void {
    this.waiting.push(letter);
  }

  whenReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  /** Never calls back: letters are part of the transaction, which fails as a whole. */
  whenBroken(): void {
    return undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Removes the letters that are due with this checkpoint from the queue, and returns their records. */
  removeDue(checkpoint: Checkpoint, plan: ResumePlan, incarnation: number): DueLetters {
    const state: NewRecord[] = [];
    for (const [number, head] of this.heads) {
      if (isNeeded(head, checkpoint, plan)) continue;
      this.heads.delete(number);
      state.push(stateRecord(['letter', number], undefined));
    }
    const { length } = this.waiting;
    const past = this.waiting.length === 0 ? undefined : new RunPast(plan, checkpoint, incarnation);
    const due = this.waiting.filter((letter) => checkpoint.isComplete || past?.keeps(letter) === true);
    const removed = new Set(due);
    this.waiting = this.waiting.filter((letter) => !removed.has(letter));
    for (const { task, lineage } of due) {
      const head = { task, lineage };
      if (!isNeeded(head, checkpoint, plan)) continue;
      const number = this.next++;
      this.heads.set(number, head);
      state.push(stateRecord(['letter', number], head));
    }
    if (length >= MOST_WAITING && !this.isFull) for (const listener of this.readyListeners) listener();
    const { lane, generation, behind, topics } = this.parts;
    const letters = due.map((letter) =>
      letterRecord(
        {
          ...letter,
          task: behind?.get(letter.task) ?? letter.task,
          lineage: { ...letter.lineage, root: topics?.get(letter.lineage.root) ?? letter.lineage.root },
        },
        { lane, generation, task: letter.task, root: letter.lineage.root },
      ),
    );
    return { letters, state };
  }
}

/** Whether a resumed run may read the record again. It must then know that the record was given up. */
function isNeeded(
  { lineage: { root, partition, number } }: LetterHead,
  { roots }: Checkpoint,
  plan: ResumePlan,
): boolean {
  if (plan.isReplayed(root)) return true;
  return number >= (partitionIn(roots[root], partition)?.watermark ?? 0);
}
