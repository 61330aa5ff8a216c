/**
 * The interface of a carrier, which executes the tasks of a run in other places than this process. The run itself still
 * has its id, its events, its counts, its summary and its end.
 */
import type { GraphPlan } from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { EngineOfRun } from './engine-of-run.js';
import type { RunFace } from './run-face.js';
import type { RunParts } from './run-parts.js';

/** The prepared workflow that a carrier executes. */
export interface CarriedWorkflow {
  readonly name: string;
  readonly config: unknown;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly plan: GraphPlan;
  readonly declarations: readonly TaskDeclaration[];
}

/** Executes runs in other places than this process; `kafkaCarrier` of `millrace/lanes` makes one. */
export interface Carrier {
  /** The engine of a run. It calls `onEnd` of the face once. */
  carry(workflow: CarriedWorkflow, parts: RunParts, face: RunFace): EngineOfRun;
}
