/**
 * The input of a task that runs after others: one record of a root of its own.
 *
 * Guarantees: exactly one lineage is born, number 0 in each incarnation, so a resumed run knows whether it has settled.
 */
import { Observable } from 'rxjs';
import type { Batch } from '../model/record.js';
import { Outbox } from './outbox.js';
import { pumpInto } from './pump-root.js';
import type { TaskScope } from './task-scope.js';

export function startOnce(record: unknown, scope: TaskScope): Observable<Batch<unknown>> {
  return new Observable((subscriber) => {
    const outbox = new Outbox<unknown>({ capacity: 1, overflow: 'error', name: scope.task });
    outbox.push(record);
    outbox.complete();
    pumpInto<unknown>(outbox, scope, subscriber);
  });
}
