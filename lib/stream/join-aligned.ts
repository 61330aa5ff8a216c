/**
 * Joins inputs per lineage, like combineLatest: one tuple per lineage, with the record of each dependency. For the
 * branches of one choice, the result is the record of the branch that the lineage has followed.
 *
 * Guarantees: a tuple never mixes lineages. If a lineage ended early in a branch that is not optional, its result is
 * one `GONE` slot. At most the root's span of lineages is held. A dependency that delivers a lineage twice fails the
 * run.
 */
import type { Observable, Subscriber } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import { BatchBuilder, GONE, type Batch, type Lineage } from '../model/record.js';
import type { TaskScope, Waiting } from './task-scope.js';
import { operateOn, type Engine } from './operate.js';
import { INCOMPLETE, MISSING, PartialTuples, type TupleOwner, type TupleResults } from './partial-tuples.js';

const NONE_OPTIONAL: ReadonlySet<number> = new Set();
const ALL_REQUIRED: TupleResults = { whole: (values) => values, partial: () => GONE };

/**
 * @param names the dependencies, in the order of `inputs`, for reports.
 * @param optional the positions of inputs for which a tuple may have undefined.
 */
export function joinAligned(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
  optional: ReadonlySet<number> = NONE_OPTIONAL,
): Observable<Batch<unknown>> {
  if (optional.size === 0) return joinLineages(inputs, names, scope, ALL_REQUIRED);
  return joinLineages(inputs, names, scope, {
    whole: (values) => values,
    partial: (values) => {
      for (let index = 0; index < values.length; index++) {
        if (values[index] !== GONE) continue;
        if (!optional.has(index)) return GONE;
        values[index] = undefined;
      }
      return values;
    },
  });
}

/**
 * Joins branches of which each lineage follows at most one.
 * @param names the dependencies, in the order of `inputs`, for reports and labels.
 * @param isLabelled whether each record is emitted as `{ from, record }`.
 */
export function joinBranches(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
  isLabelled: boolean,
): Observable<Batch<unknown>> {
  const only = (values: readonly unknown[]): unknown => {
    const followed = values.findIndex((value) => value !== GONE);
    if (followed === -1) return GONE;
    if (values.some((value, index) => index > followed && value !== GONE)) throw followedTwice(scope, names);
    return isLabelled ? { from: names[followed], record: values[followed] } : values[followed];
  };
  return joinLineages(inputs, names, scope, { whole: only, partial: only });
}

function followedTwice({ task, root }: TaskScope, names: readonly string[]): MillraceError {
  return new MillraceError(
    'MILLRACE_CONSERVATION',
    `A lineage of '${root.name}' reached '${task}' by two branches of one choice (${names.join(', ')}). The run stops, because a wrong answer is worse`,
  );
}

function joinLineages(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
  results: TupleResults,
): Observable<Batch<unknown>> {
  return operateOn(inputs, (subscriber) => new LineageJoin(inputs.length, names, scope, results, subscriber));
}

class LineageJoin implements Engine<unknown>, TupleOwner {
  private readonly names: readonly string[];
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<unknown>>;
  private readonly held: PartialTuples;
  /** Empty between two batches. */
  private readonly complete = new BatchBuilder<unknown>();
  private open: number;
  /** The number of slots received per input, and of tuples emitted. */
  private readonly received: number[];
  private left = 0;

  constructor(
    width: number,
    names: readonly string[],
    scope: TaskScope,
    results: TupleResults,
    subscriber: Subscriber<Batch<unknown>>,
  ) {
    this.names = names;
    this.scope = scope;
    this.subscriber = subscriber;
    this.held = new PartialTuples(width, scope.root.mostSpan, this, results);
    this.open = width;
    this.received = new Array<number>(width).fill(0);
    scope.watchEdges((input) => (this.received[input] ?? 0) - this.left);
    scope.explain(() => this.waiting());
  }

  twice(lineage: Lineage, index: number): MillraceError {
    return new MillraceError(
      'MILLRACE_CONSERVATION',
      `'${this.names[index] ?? ''}' delivered lineage ${lineage} of '${this.scope.root.name}' twice to '${this.scope.task}'. The run stops, because a wrong answer is worse`,
    );
  }

  accept({ lineages, values }: Batch<unknown>, index: number): void {
    const { held, complete } = this;
    this.received[index] = (this.received[index] ?? 0) + lineages.length;
    for (let i = 0; i < lineages.length; i++) {
      const lineage = lineages[i] as number;
      const tuple = held.add(lineage, index, values[i]);
      if (tuple !== INCOMPLETE) complete.push(lineage, tuple);
    }
    this.left += complete.length;
    if (complete.length > 0) this.subscriber.next(complete.build());
  }

  endInput(): void {
    if (--this.open > 0) return;
    if (this.held.size > 0) {
      this.subscriber.error(
        new MillraceError(
          'MILLRACE_CONSERVATION',
          `The inputs of '${this.scope.task}' are over while ${this.held.size} of their lineages are incomplete. The run stops, because a wrong answer is worse`,
        ),
      );
    } else this.subscriber.complete();
  }

  stop(): void {
    this.held.clear();
  }

  /** The oldest lineage that is incomplete, and the dependencies that have not delivered it. */
  private waiting(): Waiting | undefined {
    const { held, names, scope } = this;
    if (held.size === 0) return undefined;
    for (let lineage = scope.root.watermark; lineage < scope.root.born; lineage++) {
      const tuple = held.of(lineage);
      if (tuple !== undefined) return { lineage, for: names.filter((_, index) => tuple[index] === MISSING) };
    }
    return undefined;
  }
}
