/** The context of a function in a thread: the facts about its task and its record. */
import type { Lineage } from '../model/record.js';
import { seededRandom } from './random.js';

/** The second argument of a function in a thread, beside the record. */
export interface ThreadContext {
  /** The name of the task in its workflow. */
  readonly task: string;
  /** The same in every incarnation of a resumed run. */
  readonly runId: string;
  /**
   * The number of the record in its root, from 0. Behind a source with several partitions it is a number of this
   * incarnation of the run only.
   */
  readonly lineage: Lineage;
  /** 0 ≤ x < 1. The sequence of a lineage is the same on every machine and in every repetition. */
  random(): number;
}

/** The context of one function in one workload; its lineage is set before every call. */
export class WorkloadContext implements ThreadContext {
  readonly task: string;
  readonly runId: string;
  lineage: Lineage = 0;
  private readonly seed: number;
  private sequence: { readonly lineage: Lineage; readonly next: () => number } | undefined;

  constructor(task: string, runId: string, seed: number) {
    this.task = task;
    this.runId = runId;
    this.seed = seed;
  }

  random(): number {
    if (this.sequence?.lineage !== this.lineage) {
      const { lineage, seed } = this;
      this.sequence = { lineage, next: seededRandom(Math.imul(lineage + 1, 0x9e3779b1) ^ seed) };
    }
    return this.sequence.next();
  }
}
