/**
 * How cpu tasks share a thread hop: what a task must say of itself so that a neighbour can travel with it, and the
 * operator of a chain. Promise: a chain of one is the operator of a task that stands alone, so there is one way to run.
 */
import type { OperatorFunction } from 'rxjs';
import type { Stage } from '../core/executor.js';
import type { Batch } from '../core/record.js';
import { mapExecutor, type HopTask, type MapExecutorOptions } from '../stream/map-executor.js';

export interface HopTraits {
  readonly stage: (task: string) => Stage;
  readonly optionsOf: (task: string) => MapExecutorOptions<unknown, unknown>;
  /** Whether another may follow: nothing has to be looked at in the thread of the run between the two. */
  readonly mayLead: boolean;
  readonly mayFollow: boolean;
  /** Tasks share a hop only where this is the same. */
  readonly policy: string;
}

/** One task of a chain. */
export interface HopMember extends Pick<HopTask, 'scope' | 'tap'> {
  readonly traits: HopTraits;
}

/** What enters is checked by the first, what leaves by the last; the rest is the same for all. */
export function hopOperator(
  members: readonly [HopMember, ...HopMember[]],
): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  const [first] = members;
  const last = members.at(-1) ?? first;
  const tasks = members.map(({ traits, scope, tap }) => ({
    scope,
    stage: traits.stage(scope.task),
    ...(tap === undefined ? {} : { tap }),
  })) as [HopTask, ...HopTask[]];
  return mapExecutor(tasks, {
    ...first.traits.optionsOf(first.scope.task),
    after: last.traits.optionsOf(last.scope.task).after,
  });
}
