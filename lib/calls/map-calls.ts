/**
 * The operator that calls an upstream for each record. The engine is in `call-engine.ts`.
 *
 * Guarantees: each record leaves exactly once, with its output or given up after its attempts. A record that waits for
 * its next attempt holds no permit. The records in the operator never exceed the window. While the upstream is down or
 * overloaded, no record is given up and no attempt is counted. With `ordered`, outputs leave in input order. After
 * unsubscribe no attempt is in flight and no timer is left.
 */
import type { OperatorFunction } from 'rxjs';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import { operate } from '../stream/operate.js';
import type { Caller } from './call.js';
import { CallEngine, type MapCallsOptions } from './call-engine.js';

export type { MapCallsOptions };

export function mapCalls<In, Out>(
  caller: Caller<In, Out | Skip>,
  options: MapCallsOptions,
  scope: TaskScope,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return operate((subscriber) => new CallEngine<In, Out>(caller, options, scope, subscriber));
}
