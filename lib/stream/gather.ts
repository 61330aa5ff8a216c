/**
 * Collects the children of an expanding task per parent, and emits each collection under the lineage of the parent as
 * soon as the parent has no child in flight.
 *
 * Guarantees: children are in the order of their birth, without those that ended early. A parent without children has
 * an empty collection. A parent that ended early leaves `GONE`. A parent with more than `limit` children fails by
 * the policy of the task, and uses no more memory.
 */
import type { Observable } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import type { Family } from '../ledger/family.js';
import type { RootLedger } from '../ledger/ledger.js';
import type { Change, StateHolder, StateSpace } from './state-space.js';
import type { TaskScope } from './task-scope.js';
import { operateOn } from './operate.js';
import { BatchBuilder, GONE, type Batch, type Lineage } from '../model/record.js';

interface Group {
  /** The children that have arrived, without those that ended early. */
  values: { readonly ordinal: number; readonly value: unknown }[];
  /** The ordinals of all children that have arrived, up to the limit. */
  readonly ordinals: Set<number>;
  /** The number of children that have arrived beyond the limit. */
  beyond: number;
  expected: number | undefined;
  isGone: boolean;
  /** True when an earlier incarnation has counted the children of the parent. */
  readonly isCounted?: boolean;
}

/** The children that an earlier incarnation left. */
export interface LeftChildren {
  /** Whether the state contains the child. */
  readonly isCounted: (child: Lineage) => boolean;
  /** The children with their parents and ordinals. */
  readonly origins: Iterable<readonly [child: Lineage, origin: unknown]>;
}

export function gather(
  input$: Observable<Batch<unknown>>,
  family: Family,
  limit: number,
  scope: TaskScope,
  left?: LeftChildren,
): Observable<Batch<unknown[]>> {
  return operateOn([input$], (subscriber) => {
    const groups = new Map<Lineage, Group>();
    const kept = scope.state && new KeptGroups(scope.state, groups, scope.root, left);
    const [edge] = scope.inputs;
    let done = new BatchBuilder<unknown[]>();
    let isInputOver = false;
    scope.account.countsOutputsApart();

    const groupOf = (parent: Lineage): Group => {
      let group = groups.get(parent);
      if (group === undefined) {
        group = { values: [], ordinals: new Set(), beyond: 0, expected: undefined, isGone: false };
        groups.set(parent, group);
      }
      kept?.changed(parent, group);
      return group;
    };
    const closeIfDone = (parent: Lineage, group: Group): void => {
      if (group.expected === undefined || arrivedIn(group) < group.expected) return;
      groups.delete(parent);
      done.push(parent, group.isGone ? GONE : collect(parent, group));
    };
    const collect = (parent: Lineage, group: Group): unknown[] | typeof GONE => {
      if (arrivedIn(group) <= limit)
        return group.values.sort((a, b) => a.ordinal - b.ordinal).map(({ value }) => value);
      const error = new MillraceError(
        'MILLRACE_COLLECT_OVERFLOW',
        `'${scope.task}' gathers at most ${limit} children of one parent, got ${arrivedIn(group)}. Raise \`limit\``,
      );
      return scope.giveUp({
        lineage: parent,
        record: { children: arrivedIn(group) },
        error,
        attempts: 1,
        takenFrom: scope.root,
      }) as typeof GONE;
    };
    const flush = (): void => {
      if (done.length > 0) {
        const batch = done.build();
        scope.account.out += batch.length - batch.gone;
        subscriber.next(batch);
      }
      if (isInputOver && isEmpty()) subscriber.complete();
    };
    // In a run that drains, the parents of restored groups may not arrive again. Such groups wait for the next
    // incarnation.
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
          // A parent that an earlier incarnation closed arrives as gone. Its collection is not gone.
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
    return {
      accept(batch) {
        scope.account.in += batch.length - batch.gone;
        for (let i = 0; i < batch.length; i++) {
          const child = batch.lineages[i] as Lineage;
          const parent = family.parentOf(child);
          // An earlier incarnation has counted the child.
          if (parent < 0 || left?.isCounted(child) === true) continue;
          const group = groupOf(parent);
          const value = batch.values[i];
          const ordinal = family.ordinalOf(child);
          if (group.ordinals.size < limit) group.ordinals.add(ordinal);
          else group.beyond++;
          if (group.beyond > 0) group.values = [];
          else if (value !== GONE) group.values.push({ ordinal, value });
          closeIfDone(parent, group);
        }
        // The collections leave first: a parent must not settle before its collection has left.
        flush();
        edge?.root.leave(edge.exit, batch.lineages);
      },
      endInput() {
        isInputOver = true;
        flush();
      },
      stop() {
        groups.clear();
        done = new BatchBuilder();
      },
    };
  });
}

/** A group in the form in which it is stored. */
type StoredGroup = readonly [
  values: Group['values'],
  ordinals: readonly number[],
  beyond: number,
  expected: number | undefined,
  isGone: boolean,
];

function arrivedIn({ ordinals, beyond }: Group): number {
  return ordinals.size + beyond;
}

/**
 * The collections of the parents in flight, as a part of the durable state. A collection that was emitted is kept until
 * its parent has settled, because the tasks behind it may still need it.
 */
class KeptGroups implements StateHolder {
  /** The groups that have changed since the last checkpoint. */
  private readonly dirty = new Map<Lineage, Group>();
  private readonly stored = new Set<Lineage>();
  private readonly parents: RootLedger;

  constructor(space: StateSpace, groups: Map<Lineage, Group>, parents: RootLedger, left: LeftChildren | undefined) {
    this.parents = parents;
    for (const [key, entry] of space.restored) {
      const [values, ordinals, beyond, expected, isGone] = entry as StoredGroup;
      const parent = Number(key);
      this.stored.add(parent);
      const isCounted = expected !== undefined;
      groups.set(parent, { values: [...values], ordinals: new Set(ordinals), beyond, expected, isGone, isCounted });
    }
    // The dead letter of a child may have been taken back for a replay. The child then arrives again, and may have a
    // value.
    for (const [child, origin] of left?.origins ?? []) {
      if (origin === undefined || left?.isCounted(child) === true) continue;
      const [parent, ordinal] = origin as readonly [Lineage, number];
      const group = groups.get(parent);
      if (group?.ordinals.delete(ordinal) !== true) continue;
      group.values = group.values.filter((one) => one.ordinal !== ordinal);
    }
    space.setHolder(this);
  }

  changed(parent: Lineage, group: Group): void {
    this.dirty.set(parent, group);
    // Groups that were opened and settled since the last checkpoint need not be held until the next one.
    if (this.dirty.size > 2 * this.parents.span) this.forgetSettled();
  }

  *changes(): Iterable<Change> {
    this.forgetSettled();
    for (const [parent, { values, ordinals, beyond, expected, isGone }] of this.dirty) {
      this.stored.add(parent);
      yield [String(parent), [[values, [...ordinals], beyond, expected, isGone] satisfies StoredGroup]];
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
