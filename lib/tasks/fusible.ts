/**
 * Fusion: the traits of a task that can be fused with its neighbours, and the function that makes one operator of a
 * chain.
 */
import type { OperatorFunction } from 'rxjs';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch } from '../model/record.js';
import type * as operators from './operators.js';

/** The operators of the engine, as a run passes them to its tasks. */
export type Operators = typeof operators;

export interface Fusible {
  /** The place where the functions of a chain are called. */
  readonly where: 'in threads' | 'inline';
  /** Whether another task may follow in the chain: nothing needs the records between the two. */
  readonly mayLead: boolean;
  readonly mayFollow: boolean;
  /** Only tasks with the same policy are fused. */
  readonly policy: string;
  /** Makes the operator of a chain. Its members have the same policy, so they are of one kind. */
  readonly fuse: (
    members: Members<FusedTask>,
    operators: Operators,
  ) => OperatorFunction<Batch<unknown>, Batch<unknown>>;
}

/** One task of a chain. */
export interface FusedTask {
  readonly scope: TaskScope;
  readonly fusible: Fusible;
  /** Receives the outputs of a task before the last one, if anything observes them. */
  readonly tap?: { readonly isObserved: () => boolean; readonly emit: (batch: Batch<unknown>) => void };
}

/** At least one. */
export type Members<Member> = readonly [Member, ...Member[]];
