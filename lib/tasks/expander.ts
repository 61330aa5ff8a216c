/**
 * One expansion in one run: it accepts parents, and a reader pulls their children. `expandTask` states the guarantees.
 */
import type { Subscriber } from 'rxjs';
import { MillraceError, describeValue } from '../model/errors.js';
import type { Family, OpenParent } from '../ledger/family.js';
import type { Awaitable, RecordContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import { GONE, Rejected, type Batch, type Lineage, type Skip } from '../model/record.js';
import { Waiter, isPromiseLike } from '../model/awaitable.js';
import { Intake, type Arrival } from '../stream/intake.js';
import { KeptEntries } from '../stream/kept-entries.js';
import type { Engine } from '../stream/operate.js';
import { promiseFree } from '../stream/promise-free.js';
import { pumpInto } from '../stream/pump-root.js';
import { readerOf, type Pullable, type Reader } from '../stream/reader.js';
import type { Change, StateHolder, StateSpace } from '../stream/state-space.js';
import { checkInput, checkOutput, StepContext } from './record-step.js';
import type { TaskOptions } from './task-options.js';

/** Returns the children of one record. They are pulled while there is room. */
export type ExpandFunction<In, Out> = (record: In, context: RecordContext) => Awaitable<Pullable<Out | Skip>>;

/** The place from which children are read: data of the reader, and the number of children before it. */
export interface ChildrenPlace {
  readonly position: unknown;
  readonly before: number;
}

/** A reader of children that can continue in the middle. */
export abstract class ContinuedChildren<Child> implements Reader<Child> {
  abstract read(max: number): Awaitable<readonly Child[] | null>;
  abstract close(): Awaitable<void>;
  /** The newest place with at most this many children before it; undefined before the first one. */
  abstract placeAt(born: number): ChildrenPlace | undefined;
}

/** Like `ExpandFunction`. `place` is that of an earlier incarnation. */
export type ContinuedExpansion<In, Out> = (
  record: In,
  context: StepContext,
  place: ChildrenPlace | undefined,
) => Awaitable<Pullable<Out | Skip> | ContinuedChildren<Out | Skip>>;

/** The parent whose children are read. */
interface Present<Out> {
  readonly arrival: Arrival;
  readonly reader: Reader<Out | Skip>;
  /** The number of its next children that an earlier incarnation has emitted. */
  had: number;
}

/** A parent whose children an earlier incarnation had begun to read. */
interface Continued {
  readonly arrival: Arrival;
  /** The number of its children that were emitted. */
  readonly had: number;
  readonly place: ChildrenPlace | undefined;
}

/** A child as the pump receives it. */
type Child<Out> = Out | Skip | Rejected;

export class Expander<In, Out> implements Engine<In>, Reader<Out | Skip | Rejected> {
  private readonly work: ContinuedExpansion<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly intake: Intake;
  private readonly family: Family;
  private readonly parents = new Map<number, Arrival>();
  private readonly before: (record: In) => In;
  private readonly after: (child: Out | Skip) => Out | Skip;
  private present: Present<Out> | undefined;
  /** The parent whose function has returned a promise that is still pending. */
  private opening: Arrival | undefined;
  /** The parent whose children an earlier incarnation had begun to read. */
  private continued: Continued | undefined;
  private isInputOver = false;
  /** 1 while the task waits for children of a parent, otherwise 0. */
  private awaited = 0;
  /** True when no task needs more children. */
  private isStopped = false;
  /** Resolves the read that waits for a parent. */
  private readonly waiter = new Waiter();
  /** Resolves the read that waits for children. */
  private abandon: (() => void) | undefined;
  /** Set if the state is kept. */
  private readonly kept: OpenParents | undefined;

  constructor(
    work: ContinuedExpansion<In, Out>,
    options: TaskOptions<unknown, unknown>,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.work = work;
    this.scope = scope;
    this.subscriber = subscriber;
    this.before = checkInput<In>(options.input, scope.task);
    this.after = checkOutput<Out>(options.output, scope.task);
    this.intake = new Intake(scope, subscriber);
    this.family = scope.family as Family;
    if (scope.state !== undefined) {
      const placeOf = (parent: Lineage, born: number): ChildrenPlace | undefined => this.placeOf(parent, born);
      this.kept = new OpenParents(scope.state, this.parents, this.family, placeOf);
    }
    this.family.whenClosed((parent) => {
      const arrival = this.parents.get(parent) as Arrival;
      this.parents.delete(parent);
      this.kept?.entries.removed(parent);
      this.intake.letGo(arrival);
    });
    scope.whenEnding(() => {
      this.stopEarly();
    });
    // A parent that only waits for its children to settle counts as waiting, not as running: the watchdog must see a
    // stall.
    scope.account.watch(() => ({
      queued: this.intake.size,
      running: this.awaited,
      waiting: this.parents.size - this.awaited,
    }));
  }

  connect(): void {
    pumpInto(this.continuing(), this.scope, this.subscriber);
  }

  accept(batch: Batch<In>, input: number): void {
    this.intake.accept(batch, input, true);
    if (this.isStopped) this.skipWaiting();
    else this.waiter.wake();
  }

  endInput(): void {
    this.isInputOver = true;
    this.waiter.wake();
  }

  /**
   * Returns, before anything else, the children that an earlier incarnation left in flight. They need their parents, so
   * they wait until each open parent has arrived again.
   */
  private continuing(): Reader<Child<Out>> {
    const { kept, family, scope } = this;
    const { outputs, past } = scope;
    if (kept === undefined || outputs === undefined || past === undefined) return this;
    kept.restore(outputs.pending(past) as Iterable<ChildOrigin>);
    const children = outputs.continuing<Child<Out>>(this, past, (_, origin) => {
      const [parent, ordinal] = (origin as ChildOrigin | undefined) ?? [];
      if (parent !== undefined && family.stateOf(parent) !== undefined) family.restore(parent, ordinal);
      else family.restore();
    });
    const read = (max: number): Awaitable<readonly Child<Out>[] | null> => {
      this.reopen();
      if (kept.awaited === 0 || this.isStopped) return children.read(max);
      return this.isInputOver ? null : this.waiter.wait().then(() => read(max));
    };
    return { read, close: () => this.close() };
  }

  /** Opens waiting parents that an earlier incarnation has opened. In root order they come first. */
  private reopen(): void {
    while (this.kept !== undefined && this.kept.awaited > 0 && this.intake.size > 0) {
      const arrival = this.intake.shift();
      const before = this.kept.reopen(arrival.lineage);
      if (before === undefined) {
        // A parent that an earlier incarnation closed arrives as gone.
        this.begin(arrival);
        this.family.expanded(arrival.lineage, true);
        continue;
      }
      const reopened = { ...arrival, value: before.record };
      this.parents.set(arrival.lineage, reopened);
      this.family.begin(arrival.lineage, before);
      if (before.isExpanded) continue;
      this.continued = { arrival: reopened, had: before.born, place: before.place };
    }
  }

  /**
   * Returns children of the present parent. If it has none, continues with the next parents until there is a child, or
   * no further parent.
   */
  read(max: number): Awaitable<readonly Child<Out>[] | null> {
    for (;;) {
      const isWaiting = this.present !== undefined || this.intake.size > 0;
      if (isWaiting && !this.scope.mayStart()) return this.waiter.wait().then(() => this.read(max));
      if (this.present !== undefined) {
        const children = this.readChildren(this.present, max);
        if (children !== undefined) return children;
      } else if (this.continued !== undefined || this.intake.size > 0) {
        const { continued } = this;
        this.continued = undefined;
        const arrival = continued?.arrival ?? this.intake.shift();
        if (continued === undefined) this.begin(arrival);
        const opening = this.open(arrival, continued);
        if (opening !== undefined) return this.unlessStopped(opening).then(() => this.read(max));
      } else if (this.isInputOver) return null;
      else {
        return this.waiter.wait().then(() => this.read(max));
      }
    }
  }

  async close(): Promise<void> {
    const { present } = this;
    this.present = undefined;
    this.opening = undefined;
    this.waiter.wake();
    this.abandon?.();
    await present?.reader.close();
  }

  /** Undefined when the present parent has no more children now. */
  private readChildren(
    present: NonNullable<typeof this.present>,
    max: number,
  ): Awaitable<readonly Child<Out>[]> | undefined {
    const { arrival, reader } = present;
    let items: Awaitable<readonly (Out | Skip)[] | null>;
    try {
      items = reader.read(max);
    } catch (error) {
      this.end(arrival, error);
      return undefined;
    }
    if (!isPromiseLike(items)) return this.adopt(arrival, items);
    let children: readonly Child<Out>[] | undefined;
    const adopted = items.then(
      (arrived) => {
        children = this.adopt(arrival, arrived);
      },
      (error: unknown) => {
        // A parent that was stopped in the meantime is closed and can no longer fail.
        if (this.present?.arrival === arrival) this.end(arrival, error);
      },
    );
    return this.unlessStopped(adopted).then(() => children ?? this.readAgain(max));
  }

  /** Waits until the work is done or the expansion is stopped. */
  private unlessStopped(work: PromiseLike<void>): Promise<void> {
    this.awaited = 1;
    return new Promise<void>((resolve, reject) => {
      this.abandon = resolve;
      work.then(resolve, reject);
    }).finally(() => {
      this.awaited = 0;
    });
  }

  private async readAgain(max: number): Promise<readonly Child<Out>[]> {
    // For the pump, null means the end. This method returns an empty batch instead, and the next read returns null.
    return (await this.read(max)) ?? [];
  }

  private adopt(arrival: Arrival, all: readonly (Out | Skip)[] | null): readonly Child<Out>[] | undefined {
    const { present, scope } = this;
    // A parent that was stopped while its children were fetched is closed, so late children are dropped.
    if (present?.arrival !== arrival) return undefined;
    this.kept?.entries.changed(arrival.lineage);
    if (all === null) {
      this.present = undefined;
      this.family.expanded(arrival.lineage, false);
      return undefined;
    }
    const had = Math.min(present.had, all.length);
    present.had -= had;
    if (had > 0 && had === all.length) return undefined;
    const { outputs } = scope;
    const parent = outputs === undefined ? '' : scope.identityOf(arrival.lineage, scope.inputs[0]?.root);
    return (had > 0 ? all.slice(had) : all).map((child) => {
      const ordinal = this.family.announce(arrival.lineage);
      outputs?.announce(`${parent}/${ordinal}`, [arrival.lineage, ordinal] satisfies ChildOrigin);
      try {
        return this.after(child);
      } catch (error) {
        return new Rejected(child, error);
      }
    });
  }

  /**
   * Starts to read the children of a parent. Returns a promise if they arrive later.
   * @param continued the progress of an earlier incarnation.
   */
  private open(arrival: Arrival, continued: Continued | undefined): Promise<void> | undefined {
    if (arrival.value === GONE) {
      this.family.expanded(arrival.lineage, true);
      return undefined;
    }
    try {
      const record = this.before(arrival.value as In);
      const place = continued?.place;
      const had = (continued?.had ?? 0) - (place?.before ?? 0);
      const children = this.work(record, new StepContext(this.scope, arrival.lineage, 1), place);
      if (!isPromiseLike(children)) {
        this.present = { arrival, reader: this.readerFor(children), had };
        return undefined;
      }
      this.opening = arrival;
      return Promise.resolve(children)
        .then((ready) => {
          const reader = this.readerFor(ready);
          if (this.opening === arrival) this.present = { arrival, reader, had };
          else this.scope.track(Promise.resolve(reader.close()));
        })
        .catch((error: unknown) => {
          if (this.opening === arrival) this.end(arrival, error);
        })
        .finally(() => {
          if (this.opening === arrival) this.opening = undefined;
        });
    } catch (error) {
      this.end(arrival, error);
      return undefined;
    }
  }

  private readerFor(children: Pullable<Out | Skip> | ContinuedChildren<Out | Skip>): Reader<Out | Skip> {
    if (children instanceof ContinuedChildren) return children;
    // A function in JavaScript may return anything.
    const isObject = typeof children === 'object' && (children as unknown) !== null;
    if (!isObject || !(Symbol.iterator in children || Symbol.asyncIterator in children)) {
      throw new MillraceError(
        'MILLRACE_INVALID_OUTPUT',
        `Expected the function of '${this.scope.task}' to return an iterable of children, got ${describeValue(children)}`,
      );
    }
    return promiseFree(readerOf(children), `The function of '${this.scope.task}'`);
  }

  private end(arrival: Arrival, error: unknown): void {
    this.present = undefined;
    this.kept?.entries.changed(arrival.lineage);
    this.scope.giveUp({
      lineage: arrival.lineage,
      record: arrival.value,
      error,
      attempts: 1,
      takenFrom: this.scope.inputs[0]?.root,
    });
    this.family.expanded(arrival.lineage, true);
  }

  /** Called when no task needs more children. Ends the present parent and skips the waiting ones. */
  private stopEarly(): void {
    this.isStopped = true;
    const { present } = this;
    const parent = present?.arrival ?? this.opening ?? this.continued?.arrival;
    this.continued = undefined;
    this.present = undefined;
    this.opening = undefined;
    if (present !== undefined) this.scope.track(Promise.resolve(present.reader.close()));
    if (parent !== undefined) this.family.expanded(parent.lineage, false);
    this.skipWaiting();
    this.abandon?.();
  }

  /** Skips the waiting parents. The input continues until its sources have ended too. */
  private skipWaiting(): void {
    while (this.intake.size > 0) {
      const arrival = this.intake.shift();
      if (arrival.value !== GONE) this.scope.skip('nobody wants more');
      this.kept?.reopen(arrival.lineage);
      // A `gather` downstream must learn about these parents too.
      this.begin(arrival);
      this.family.expanded(arrival.lineage, true);
    }
  }

  private placeOf(parent: Lineage, born: number): ChildrenPlace | undefined {
    const { present, continued } = this;
    if (continued?.arrival.lineage === parent) return continued.place;
    const isRead = present?.arrival.lineage === parent && present.reader instanceof ContinuedChildren;
    return isRead ? present.reader.placeAt(born) : undefined;
  }

  private begin(arrival: Arrival): void {
    this.parents.set(arrival.lineage, arrival);
    this.family.begin(arrival.lineage);
    this.kept?.entries.changed(arrival.lineage);
  }
}

/** The parent of a child, and the position of the child among its children. */
type ChildOrigin = readonly [parent: Lineage, ordinal: number];

/** The durable form of an open parent. */
type StoredParent = readonly [record: unknown, born: number, isExpanded: boolean, place?: ChildrenPlace];

/** An open parent of an earlier incarnation. */
interface KeptParent extends OpenParent {
  readonly record: unknown;
  readonly place: ChildrenPlace | undefined;
}

/** The open parents, as a part of the durable state. */
class OpenParents implements StateHolder {
  readonly entries: KeptEntries<Lineage>;
  private readonly parents: ReadonlyMap<Lineage, Arrival>;
  /** Parents that an earlier incarnation has opened and that have not arrived again. */
  private readonly before = new Map<Lineage, KeptParent>();
  private readonly space: StateSpace;

  /** @param placeOf the place of an open parent with this many children. */
  constructor(
    space: StateSpace,
    parents: ReadonlyMap<Lineage, Arrival>,
    family: Family,
    placeOf: (parent: Lineage, born: number) => ChildrenPlace | undefined,
  ) {
    this.space = space;
    this.parents = parents;
    this.entries = new KeptEntries(
      (parent) => {
        const state = family.stateOf(parent);
        const arrival = parents.get(parent);
        if (state === undefined || arrival === undefined) return undefined;
        const place = state.isExpanded ? undefined : placeOf(parent, state.born);
        const stored = [arrival.value, state.born, state.isExpanded] as const;
        return [(place === undefined ? stored : [...stored, place]) satisfies StoredParent];
      },
      (parent) => parent,
    );
    space.setHolder(this);
  }

  /** The number of parents that have not arrived again. */
  get awaited(): number {
    return this.before.size;
  }

  /** @param children the children that will be born again. */
  restore(children: Iterable<ChildOrigin>): void {
    const unsettled = new Map<Lineage, number>();
    for (const [parent] of children) unsettled.set(parent, (unsettled.get(parent) ?? 0) + 1);
    for (const [key, entry] of this.space.restored) {
      const parent = Number(key);
      const [record, born, isExpanded, place] = entry as StoredParent;
      this.entries.restored(parent, parent);
      this.before.set(parent, { record, born, isExpanded, place, settled: born - (unsettled.get(parent) ?? 0) });
    }
    this.space.consumed();
  }

  /** The parent as an earlier incarnation has left it; undefined if no incarnation has opened it. */
  reopen(parent: Lineage): KeptParent | undefined {
    const before = this.before.get(parent);
    this.before.delete(parent);
    return before;
  }

  changes(): Iterable<Change> {
    return this.entries.changes();
  }

  accepted(): Lineage[] {
    return [...this.parents.keys(), ...this.before.keys()];
  }
}
