/**
 * The union of several inputs: each arrival is a record of its own, with a new lineage in a root of its own.
 *
 * Guarantees: each record is emitted once, in order of arrival; an arrival holds its source back until it is emitted,
 * so the windows of the inputs bound what waits. A record is named by its input and its name there, so that it keeps
 * its identity in every incarnation of the run.
 */
import { Observable, type Subscriber } from 'rxjs';
import { Waiter, type Awaitable } from '../model/awaitable.js';
import type { Batch } from '../model/record.js';
import { Intake } from './intake.js';
import { pumpRoot } from './pump-root.js';
import type { Reader } from './reader.js';
import type { TaskScope } from './task-scope.js';

/**
 * @param names the dependencies, in the order of `inputs`.
 * @param isLabelled whether each record is emitted as `{ from, record }`.
 */
export function joinMerge(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
  isLabelled: boolean,
): Observable<Batch<unknown>> {
  return new Observable((subscriber) => {
    new Union(names, scope, isLabelled).connect(inputs, subscriber);
  });
}

class Union implements Reader<unknown> {
  private readonly names: readonly string[];
  private readonly scope: TaskScope;
  private readonly isLabelled: boolean;
  private readonly intake: Intake;
  private readonly waiter = new Waiter();
  private open: number;
  private isClosed = false;

  constructor(names: readonly string[], scope: TaskScope, isLabelled: boolean) {
    this.names = names;
    this.scope = scope;
    this.isLabelled = isLabelled;
    this.intake = new Intake(scope);
    this.open = names.length;
  }

  connect(inputs: readonly Observable<Batch<unknown>>[], subscriber: Subscriber<Batch<unknown>>): void {
    const records = this.scope.outputs?.continuing(this, this.scope.past) ?? this;
    subscriber.add(pumpRoot<unknown>(records, this.scope).subscribe(subscriber));
    this.intake.connect(
      inputs,
      {
        onArrival: () => {
          this.waiter.wake();
        },
        onInputOver: () => {
          this.open--;
          this.waiter.wake();
        },
      },
      subscriber,
    );
  }

  read(max: number): Awaitable<readonly unknown[] | null> {
    const records: unknown[] = [];
    while (records.length < max && this.intake.size > 0) records.push(this.next());
    if (records.length > 0) return records;
    if (this.isClosed || this.open === 0) return null;
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.waiter.wake();
  }

  private next(): unknown {
    const { scope, intake, names } = this;
    const arrival = intake.shift();
    const { input, lineage, value } = arrival;
    if (scope.outputs !== undefined) {
      const name = scope.identityOf(lineage, scope.inputs[input]?.root);
      scope.outputs.announce(`${names[input] ?? ''} ${name}`);
    }
    intake.letGo(arrival);
    return this.isLabelled ? { from: names[input], record: value } : value;
  }
}
