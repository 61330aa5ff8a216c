/**
 * Asks an upstream about each record: attempts, retries, timeouts, hedges, and everything the gate holds back.
 *
 * Promises: every record leaves exactly once, as its answer or given up with the attempts it had; a record that waits
 * for its next attempt holds no slot; in flight never exceeds the window, whatever the upstream does; while the upstream
 * is down or busy nothing is given up and no attempt counted; with `ordered` outputs leave in input order; after
 * unsubscribe no attempt is under way and no timer left.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import type { Caller } from './call.js';
import { CallMapper } from './call-mapper.js';
import type { MapCallsOptions } from './call-parts.js';
import { observe } from '../stream/observe.js';

export type { MapCallsOptions };

export function mapCalls<In, Out>(
  caller: Caller<In, Out | Skip>,
  options: MapCallsOptions,
  scope: TaskScope,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return (input$) =>
    new Observable((subscriber) => {
      const mapper = new CallMapper<In, Out>(caller, options, scope, subscriber);
      observe(
        input$,
        subscriber,
        (batch) => {
          mapper.take(batch);
        },
        () => {
          mapper.finish();
        },
      );
      subscriber.add(() => {
        mapper.stop();
      });
    });
}
