/**
 * The keyed join of two inputs by window: records with one key that are in one window become pairs. It is a window task
 * over a labelled merge of the two, so it has the same time, late records and durable state.
 *
 * Guarantees: a window emits each of its pairs once, when it is closed. Pairs are ordered by the left record, then by
 * the right record, each in the order of arrival. Records without a partner that are not emitted count as skipped, once
 * per window. The records of all open windows are bounded by `maxRecords`.
 */
import { MillraceError, describeValue, invalidOption } from '../../model/errors.js';
import {
  anObject,
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  count,
  oneOf,
  text,
  type OptionRules,
} from '../../options/options.js';
import type { KeyedKind } from '../../stream/join-keyed.js';
import type { Task } from '../task.js';
import type { WindowWork } from './window-reader.js';
import { isWindowKind, type WindowKind } from './window-kinds.js';
import { WINDOW_RULES, WindowTask, windowKind, type LateOutput } from './window-task.js';
import type { WindowOf, WindowOptions } from './windowed.js';

/** One input of a `windowJoin`. */
export interface JoinSide<From extends string, Item, Key> {
  /** The dependency that the records come from, as it is written in the flow. */
  readonly from: From;
  /** Records of both sides with the same key are paired. Keys are compared as a Map compares them. */
  readonly key: (record: Item) => Key;
  /** The time of a record in milliseconds since 1970. */
  readonly timestamp: (record: Item) => number;
}

/** The definition of a `windowJoin`. */
export interface WindowJoin<LeftFrom extends string, Left, RightFrom extends string, Right, Key, Kind> {
  /** The side whose records come first in the pairs. */
  readonly left: JoinSide<LeftFrom, Left, Key>;
  /** The other side. */
  readonly right: JoinSide<RightFrom, Right, Key>;
  /** Made by `tumbling`, `sliding` or `session`. */
  readonly window: WindowKind;
  /** The records without a partner that are emitted: none (`inner`), those of the left side (`left`), all (`outer`). */
  readonly kind: Kind;
}

/** Options of `windowJoin`. */
export interface WindowJoinOptions<In, Out> extends WindowOptions<In, Out> {
  /**
   * The most records in all open windows; one more fails the run with MILLRACE_WINDOW_OVERFLOW. A record of sliding
   * windows counts in each of them. Default 1,000,000.
   */
  readonly maxRecords?: number;
}

/** A record with the dependency that it came from, as a labelled merge emits it. */
export interface Labelled<From extends string, Item> {
  /** The name of the dependency. */
  readonly from: From;
  /** The record that the dependency has emitted. */
  readonly record: Item;
}

/** A pair, with its key and its window. */
export type WindowPair<Left, Right, Key, Kind extends KeyedKind> =
  | JoinedPair<Left, Right, Key>
  | (Kind extends 'left' | 'outer' ? JoinedPair<Left, undefined, Key> : never)
  | (Kind extends 'outer' ? JoinedPair<undefined, Right, Key> : never);

/** Two records that have one key and are in one window. */
export interface JoinedPair<Left, Right, Key> {
  /** The key of both records. */
  readonly key: Key;
  /** Milliseconds since 1970. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** The record of the left side; undefined if there is none. */
  readonly left: Left;
  /** The record of the right side; undefined if there is none. */
  readonly right: Right;
}

/** The records of one key in one window. */
interface Sides<Left, Right> {
  readonly left: Left[];
  readonly right: Right[];
}

const RULES: OptionRules<WindowJoinOptions<unknown, unknown>> = { ...WINDOW_RULES, maxRecords: count() };
const JOIN_RULES: OptionRules<WindowJoin<string, never, string, never, unknown, KeyedKind>> = {
  left: anObject,
  right: anObject,
  window: windowKind,
  kind: oneOf('inner', 'left', 'outer'),
};
const SIDE_RULES: OptionRules<JoinSide<string, never, unknown>> = { from: text, key: callback, timestamp: callback };
const DEFAULT_MAX_RECORDS = 1_000_000;

/**
 * Joins two dependencies by key and window. The flow merges them with labels: `{ join: 'merge', labelled: true }`.
 * `['Name.late']` is an output of the records that came too late, as with `windowTask`. Throws
 * MILLRACE_INVALID_OPTION for sides and options that do not fit, and for windows of records.
 *
 * @example
 * flow.task('Sellers', ['People', 'Auctions'], { join: 'merge', labelled: true }, windowJoin({
 *   left: { from: 'People', key: (person: Person) => person.id, timestamp: (person) => person.at },
 *   right: { from: 'Auctions', key: (auction: Auction) => auction.seller, timestamp: (auction) => auction.at },
 *   window: tumbling(10_000), kind: 'inner' }))
 */
export function windowJoin<
  const LeftFrom extends string,
  Left,
  const RightFrom extends string,
  Right,
  Key,
  const Kind extends KeyedKind,
>(
  join: WindowJoin<LeftFrom, Left, RightFrom, Right, Key, Kind>,
  options: WindowJoinOptions<
    Labelled<LeftFrom, Left> | Labelled<RightFrom, Right>,
    WindowPair<Left, Right, Key, Kind>
  > = {},
): Task<
  Labelled<LeftFrom, Left> | Labelled<RightFrom, Right>,
  WindowPair<Left, Right, Key, Kind>,
  LateOutput<Labelled<LeftFrom, Left> | Labelled<RightFrom, Right>>
> {
  type In = Labelled<LeftFrom, Left> | Labelled<RightFrom, Right>;
  type Pair = WindowPair<Left, Right, Key, Kind>;
  checkJoin(join);
  checkOptions('a windowJoin', options, RULES);
  const work = workOf(join) as WindowWork<In, Key, Sides<Left, Right>, Pair>;
  const { maxRecords = DEFAULT_MAX_RECORDS } = options;
  return new WindowTask<In, Key, Sides<Left, Right>, Pair, In>(
    { ...work, maxRecords },
    options as WindowOptions<In, never>,
    (record) => work.keyOf(record),
    'window-join',
  );
}

function checkJoin(join: WindowJoin<string, never, string, never, unknown, KeyedKind>): void {
  checkObject('the sides of a windowJoin', join);
  checkOptions('a windowJoin', join, JOIN_RULES, ['left', 'right', 'window', 'kind']);
  for (const name of ['left', 'right'] as const) {
    checkOptions(`\`${name}\` of a windowJoin`, join[name], SIDE_RULES, ['from']);
    checkFunction(`\`key\` of \`${name}\` of a windowJoin`, join[name].key);
    checkFunction(`\`timestamp\` of \`${name}\` of a windowJoin`, join[name].timestamp);
  }
  if (join.left.from === join.right.from) {
    throw invalidOption(
      `Expected the sides of a windowJoin to come from two dependencies, got '${join.left.from}' twice`,
    );
  }
  if (!isWindowKind(join.window) || join.window.kind === 'count') {
    throw invalidOption('Expected a windowJoin to have windows of time. Use tumbling(…), sliding(…) or session(…)');
  }
}

function workOf<Left, Right, Key>(
  join: WindowJoin<string, Left, string, Right, Key, KeyedKind>,
): WindowWork<Labelled<string, Left | Right>, Key, Sides<Left, Right>, unknown> {
  const { left, right, kind } = join;
  const isLeft = ({ from }: Labelled<string, unknown>): boolean => {
    if (from === left.from) return true;
    if (from === right.from) return false;
    throw new MillraceError(
      'MILLRACE_INVALID_INPUT',
      `Expected a record of a windowJoin to come from '${left.from}' or '${right.from}', got ${describeValue(from)}. Merge the two with { join: 'merge', labelled: true }`,
    );
  };
  return {
    kind: join.window,
    earlyEach: undefined,
    keyOf: (one) => (isLeft(one) ? left.key(one.record as Left) : right.key(one.record as Right)),
    timeOf: (one) => (isLeft(one) ? left.timestamp(one.record as Left) : right.timestamp(one.record as Right)),
    init: () => ({ left: [], right: [] }),
    add: (sides, one) => {
      if (isLeft(one)) sides.left.push(one.record as Left);
      else sides.right.push(one.record as Right);
      return sides;
    },
    merge: (one, other) => ({ left: [...one.left, ...other.left], right: [...one.right, ...other.right] }),
    count: (sides) => {
      if (sides.right.length === 0) return kind === 'inner' ? 0 : sides.left.length;
      if (sides.left.length === 0) return kind === 'outer' ? sides.right.length : 0;
      return sides.left.length * sides.right.length;
    },
    unused: (sides) => {
      if (sides.left.length > 0 && sides.right.length > 0) return { reason: '', count: 0 };
      const isOnLeft = sides.left.length > 0;
      const isEmitted = kind === 'outer' || (kind === 'left' && isOnLeft);
      const from = isOnLeft ? right.from : left.from;
      return { reason: `no match in '${from}'`, count: isEmitted ? 0 : sides.left.length + sides.right.length };
    },
    make: (sides, { key, start, end }: WindowOf<Key>, index) => ({
      ...{ key, start, end },
      left: sides.left[Math.floor(index / Math.max(1, sides.right.length))],
      right: sides.right[sides.left.length === 0 ? index : index % Math.max(1, sides.right.length)],
    }),
  };
}
