/**
 * How cpu tasks share a thread hop: what a task must say of itself so that a neighbour can travel with it, and the
 * operator of a chain. Promise: a chain of one is the operator of a task that stands alone, so there is one way to run.
 */
import type { OperatorFunction } from 'rxjs';
import type { Stage } from '../execution/executor.js';
import type { Batch } from '../model/record.js';
import { mapExecutor, type HopTask, type MapExecutorOptions } from '../stream/map-executor.js';
import type { FusedTask, Fusible, Members } from './fusible.js';

export interface HopTraits extends Fusible {
  readonly stage: (task: string) => Stage;
  readonly optionsOf: (task: string) => MapExecutorOptions<unknown, unknown>;
}

/** One task of a chain. */
interface HopMember extends FusedTask {
  readonly fusible: HopTraits;
}

/** What enters is checked by the first, what leaves by the last; the rest is the same for all. */
export function hopOperator(given: Members<FusedTask>): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  const members = given as Members<HopMember>;
  const [first] = members;
  const last = members.at(-1) ?? first;
  const tasks = members.map(({ fusible, scope, tap }) => ({
    scope,
    stage: fusible.stage(scope.task),
    ...(tap === undefined ? {} : { tap }),
  })) as [HopTask, ...HopTask[]];
  return mapExecutor(tasks, {
    ...first.fusible.optionsOf(first.scope.task),
    after: last.fusible.optionsOf(last.scope.task).after,
  });
}
