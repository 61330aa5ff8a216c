/** How a task may be one with its neighbours: what it says of itself, and who makes one operator of a chain of them. */
import type { OperatorFunction } from 'rxjs';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch } from '../model/record.js';
import type * as operators from './operators.js';

/** The operators of the engine, as a run passes them to its tasks. */
export type Operators = typeof operators;

export interface Fusible {
  /** Where the functions of a chain are called. */
  readonly where: 'in threads' | 'inline';
  /** Whether another may follow: nothing has to be looked at between the two. */
  readonly mayLead: boolean;
  readonly mayFollow: boolean;
  /** Tasks are fused only where this is the same. */
  readonly policy: string;
  /** The operator of a chain; its members have one policy, so they are of one kind. */
  readonly fuse: (
    members: Members<FusedTask>,
    operators: Operators,
  ) => OperatorFunction<Batch<unknown>, Batch<unknown>>;
}

/** One task of a chain. */
export interface FusedTask {
  readonly scope: TaskScope;
  readonly fusible: Fusible;
  /** Where the outputs of a task before the last go, and whether anybody is there. */
  readonly tap?: { readonly isObserved: () => boolean; readonly emit: (batch: Batch<unknown>) => void };
}

/** At least one. */
export type Members<Member> = readonly [Member, ...Member[]];
