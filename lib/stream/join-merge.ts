/**
 * The union of several inputs: each arrival is a record of its own, with a new lineage in a root of its own.
 *
 * Guarantees: each record is emitted once, in order of arrival. An arrival holds its source back until it is emitted,
 * so the windows of the inputs bound the waiting arrivals. The identity of a record consists of its input and its
 * identity there, so it is the same in every incarnation of the run.
 */
import type { Observable, Subscriber } from 'rxjs';
import { UnionChannels } from '../ledger/channels.js';
import { Waiter, type Awaitable } from '../model/awaitable.js';
import type { Batch, Lineage } from '../model/record.js';
import { Intake } from './intake.js';
import { operateOn, type Engine } from './operate.js';
import { pumpInto } from './pump-root.js';
import type { Reader } from './reader.js';
import type { InputEdge, TaskScope } from './task-scope.js';

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
  return operateOn(inputs, (subscriber) => new Union(names, scope, isLabelled, subscriber));
}

class Union implements Engine<unknown>, Reader<unknown> {
  private readonly names: readonly string[];
  private readonly scope: TaskScope;
  private readonly isLabelled: boolean;
  private readonly subscriber: Subscriber<Batch<unknown>>;
  private readonly intake: Intake;
  private readonly waiter = new Waiter();
  private readonly channels: UnionChannels;
  /** The inputs that are over, but may still have waiting arrivals. */
  private readonly ending = new Set<number>();
  private open: number;
  private isClosed = false;

  constructor(names: readonly string[], scope: TaskScope, isLabelled: boolean, subscriber: Subscriber<Batch<unknown>>) {
    this.names = names;
    this.scope = scope;
    this.isLabelled = isLabelled;
    this.subscriber = subscriber;
    this.intake = new Intake(scope, subscriber);
    this.open = names.length;
    const inputs = names.map((name, input) => ({
      name,
      channels: () => (scope.inputs[input] as InputEdge).root.channels,
    }));
    this.channels = new UnionChannels(inputs, scope.root.span);
    scope.root.unite(this.channels);
  }

  connect(): void {
    const { outputs, past } = this.scope;
    const records =
      outputs?.continuing(this, past, (lineage, channel) => {
        this.channels.assign(lineage, (channel as string | undefined) ?? '');
      }) ?? this;
    pumpInto(records, this.scope, this.subscriber);
  }

  accept(batch: Batch<unknown>, input: number): void {
    this.intake.accept(batch, input);
    this.waiter.wake();
  }

  endInput(input: number): void {
    this.open--;
    this.ending.add(input);
    this.waiter.wake();
  }

  read(max: number): Awaitable<readonly unknown[] | null> {
    const records: unknown[] = [];
    const { born } = this.scope.root;
    while (records.length < max && this.intake.size > 0) records.push(this.next(born + records.length));
    if (this.ending.size > 0 && this.intake.size === 0) {
      for (const input of this.ending) this.channels.end(input, born + records.length);
      this.ending.clear();
    }
    if (records.length > 0) return records;
    if (this.isClosed || this.open === 0) return null;
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.waiter.wake();
  }

  /** @param place the lineage of the record in the union. */
  private next(place: Lineage): unknown {
    const { scope, intake, names, channels } = this;
    const arrival = intake.shift();
    const { input, lineage, value } = arrival;
    const channel = channels.channelIn(input, lineage);
    channels.assign(place, channel);
    if (scope.outputs !== undefined) {
      const name = scope.identityOf(lineage, scope.inputs[input]?.root);
      scope.outputs.announce(`${names[input] ?? ''} ${name}`, channel);
    }
    intake.letGo(arrival);
    return this.isLabelled ? { from: names[input], record: value } : value;
  }
}
