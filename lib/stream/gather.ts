/**
 * Collects the children of an expanding task per parent, and emits each collection under the lineage of the parent as soon
 * as the parent has no child in flight.
 *
 * Guarantees: children are in the order of their birth, without those that ended early. A parent without children has an
 * empty collection. A parent that ended early leaves a gone mark. A parent with more than `limit` children fails by the
 * policy of the task, and uses no more memory.
 */
import { Observable } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import type { Family } from '../ledger/family.js';
import type { RootLedger } from '../ledger/ledger.js';
import type { Change, StateHolder, StateSpace } from './state-space.js';
import type { TaskScope } from './task-scope.js';
import { observe } from './observe.js';
import { BatchBuilder, GONE, type Batch, type Lineage } from '../model/record.js';

interface Group {
  /** The children that have arrived, without those that ended early. */
  values: { readonly ordinal: number; readonly value: unknown }[];
  arrived: number;
  expected: number | undefined;
  isGone: boolean;
  /** True when an earlier incarnation has counted the children of the parent. */
  readonly isCounted?: boolean;
}

/** @param isCounted whether the state that an earlier incarnation left contains the child. */
export function gather(
  input$: Observable<Batch<unknown>>,
  family: Family,
  limit: number,
  scope: TaskScope,
  isCounted: (child: Lineage) => boolean = () => false,
): Observable<Batch<unknown[]>> {
  return new Observable((subscriber) => {
    const groups = new Map<Lineage, Group>();
    const kept = scope.state && new KeptGroups(scope.state, groups, scope.root);
    const [edge] = scope.inputs;
    let done = new BatchBuilder<unknown[]>();
    let isInputOver = false;
    scope.account.countsOutputsApart();

    const groupOf = (parent: Lineage): Group => {
      let group = groups.get(parent);
      if (group === undefined) {
        group = { values: [], arrived: 0, expected: undefined, isGone: false };
        groups.set(parent, group);
      }
      kept?.changed(parent, group);
      return group;
    };
    const closeIfDone = (parent: Lineage, group: Group): void => {
      if (group.expected === undefined || group.arrived < group.expected) return;
      groups.delete(parent);
      done.push(parent, group.isGone ? GONE : collect(parent, group));
    };
    const collect = (parent: Lineage, group: Group): unknown[] | typeof GONE => {
      if (group.arrived <= limit) return group.values.sort((a, b) => a.ordinal - b.ordinal).map(({ value }) => value);
      const error = new MillraceError(
        'MILLRACE_COLLECT_OVERFLOW',
        `'${scope.task}' gathers at most ${limit} children of one parent, got ${group.arrived}. Raise \`limit\``,
      );
      return scope.giveUp({
        lineage: parent,
        record: { children: group.arrived },
        error,
        attempts: 1,
        takenFrom: scope.root,
      }) as typeof GONE;
    };
    const flush = (): void => {
      if (done.length > 0) {
        const batch = done.take();
        scope.account.out += batch.length - batch.gone;
        subscriber.next(batch);
      }
      if (isInputOver && isEmpty()) subscriber.complete();
    };
    // In a run that drains, the parents of restored groups may not arrive again. These groups wait for the next incarnation.
    const isEmpty = (): boolean => [...groups.keys()].every((parent) => parent >= scope.root.born);
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        subscriber.error(error);
      }
    };

    family.listen({
      onExpanded: (parent, count, isGone) => {
        guarded(() => {
          const group = groupOf(parent);
          // A parent that was closed before arrives as gone, but its collection is not.
          if (group.isCounted !== true) {
            group.expected = count;
            group.isGone ||= isGone;
          }
          closeIfDone(parent, group);
          flush();
        });
      },
    });
    scope.explain(() => {
      const [first] = groups;
      return first === undefined ? undefined : { lineage: first[0], for: [edge?.from ?? ''] };
    });
    subscriber.add(() => {
      groups.clear();
      done = new BatchBuilder();
    });
    observe(
      input$,
      subscriber,
      (batch) => {
        scope.account.in += batch.length - batch.gone;
        for (let i = 0; i < batch.length; i++) {
          const child = batch.lineages[i] as Lineage;
          const parent = family.parentOf(child);
          // An earlier incarnation has counted the child.
          if (parent < 0 || isCounted(child)) continue;
          const group = groupOf(parent);
          const value = batch.values[i];
          group.arrived++;
          if (group.arrived > limit) group.values = [];
          else if (value !== GONE) group.values.push({ ordinal: family.ordinalOf(child), value });
          closeIfDone(parent, group);
        }
        // The collections leave first: a parent must not settle before its collection has left.
        flush();
        edge?.root.leave(edge.exit, batch.lineages);
      },
      () => {
        isInputOver = true;
        flush();
      },
    );
  });
}

/** A group in the form in which it is stored. */
type StoredGroup = readonly [values: Group['values'], arrived: number, expected: number | undefined, isGone: boolean];

/**
 * The collections of the parents in flight, as a part of the durable state. A collection that was emitted is kept until its
 * parent has settled, because the tasks behind it may still need it.
 */
class KeptGroups implements StateHolder {
  /** The groups that have changed since the last checkpoint. */
  private readonly dirty = new Map<Lineage, Group>();
  private readonly stored = new Set<Lineage>();
  private readonly parents: RootLedger;

  constructor(space: StateSpace, groups: Map<Lineage, Group>, parents: RootLedger) {
    this.parents = parents;
    for (const [key, entry] of space.restored) {
      const [values, arrived, expected, isGone] = entry as StoredGroup;
      const parent = Number(key);
      this.stored.add(parent);
      groups.set(parent, { values: [...values], arrived, expected, isGone, isCounted: expected !== undefined });
    }
    space.heldBy(this);
  }

  changed(parent: Lineage, group: Group): void {
    this.dirty.set(parent, group);
    // Groups that were opened and settled since the last checkpoint need not be held until the next.
    if (this.dirty.size > 2 * this.parents.span) this.forgetSettled();
  }

  *changes(): Iterable<Change> {
    this.forgetSettled();
    for (const [parent, { values, arrived, expected, isGone }] of this.dirty) {
      this.stored.add(parent);
      yield [String(parent), [[values, arrived, expected, isGone] satisfies StoredGroup]];
    }
    this.dirty.clear();
    for (const parent of this.stored) {
      if (this.isNeeded(parent)) continue;
      this.stored.delete(parent);
      yield [String(parent), undefined];
    }
  }

  private forgetSettled(): void {
    for (const parent of this.dirty.keys()) if (!this.isNeeded(parent)) this.dirty.delete(parent);
  }

  /** A parent at or above `born` will arrive again. */
  private isNeeded(parent: Lineage): boolean {
    return parent >= this.parents.born || this.parents.isInFlight(parent);
  }
}
