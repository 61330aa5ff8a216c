/**
 * Waits until each input is over, and then emits one tuple of collections (for one input: one collection), as classic
 * DAG managers do.
 *
 * Guarantees: collections keep the order of arrival. At most `limit` records per input are collected. One record more
 * fails the run with a message that names the input, because a partial collection would be a wrong answer. A run that
 * drains emits nothing, for the same reason.
 */
import type { Observable } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import type { TaskScope } from './task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import { Intake } from './intake.js';
import { operateOn } from './operate.js';
import { pumpInto } from './pump-root.js';
import { contentHash } from './content-hash.js';
import { Outbox } from './outbox.js';
import type { Change, StateSpace } from './state-space.js';

export function joinAll(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  limit: number,
  scope: TaskScope,
): Observable<Batch<unknown[]>> {
  return operateOn(inputs, (subscriber) => {
    const collected: unknown[][] = inputs.map(() => []);
    const outbox = new Outbox<unknown[]>({ capacity: 1, overflow: 'error', name: scope.task });
    const intake = new Intake(scope, subscriber);
    let open = inputs.length;
    if (scope.state !== undefined) keepCollected(scope.state, collected);
    pumpInto(scope.outputs?.continuing<unknown[] | Skip>(outbox, scope.past) ?? outbox, scope, subscriber);
    return {
      accept(batch, input) {
        intake.accept(batch, input);
        while (intake.size > 0) {
          const arrival = intake.shift();
          const list = collected[arrival.input] as unknown[];
          if (list.length === limit) {
            throw new MillraceError(
              'MILLRACE_COLLECT_OVERFLOW',
              `'${scope.task}' collects all of '${names[arrival.input] ?? ''}', which gave more than ${limit} records. Raise \`limit\`, or join record by record`,
            );
          }
          list.push(arrival.value);
          intake.letGo(arrival);
        }
      },
      endInput() {
        if (--open > 0) return;
        const isEmitted = scope.outputs !== undefined && (scope.past?.born ?? 0) > 0;
        if (!scope.isDraining && !isEmitted) {
          // In another incarnation, records of different inputs may come in another order. So the result is
          // identified by its content.
          scope.outputs?.announce(() => `all ${contentHash(collected)}`);
          outbox.push(collected.length === 1 ? (collected[0] as unknown[]) : collected);
        }
        outbox.complete();
      },
    };
  });
}

/** Keeps collections as a part of the durable state, and continues with those that an earlier incarnation left. */
function keepCollected(space: StateSpace, collected: readonly unknown[][]): void {
  for (const [key, value] of space.restored) collected[Number(key.split(' ')[0])]?.push(value);
  const stored = collected.map((list) => list.length);
  space.setHolder({
    *changes(): Iterable<Change> {
      for (const [input, list] of collected.entries()) {
        for (let at = stored[input] as number; at < list.length; at++) yield [`${input} ${at}`, [list[at]]];
        stored[input] = list.length;
      }
    },
  });
}
