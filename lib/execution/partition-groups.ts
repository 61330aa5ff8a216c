/**
 * The groups of one partition of an aggregate: all records of its keys, folded in the order of arrival.
 *
 * Guarantees: results come in the order in which their keys first appeared, and each state is released when its result
 * is made.
 */
import { FatalTaskError } from '../model/errors.js';
import { Skip } from '../model/record.js';
import type { Collected } from './executor.js';
import { foldInto, tooManyKeys, type Fold } from './fold.js';
import type { AnyAggregate } from './load-export.js';
import { checkedFunctions } from './checked-functions.js';

export interface PartitionGroupsOptions {
  /** The name of the aggregating task, for messages. */
  readonly task: string;
  readonly maxKeys: number;
}

/** The groups of a part that has all records of its keys: it returns results. */
export class PartitionGroups {
  private readonly fold: Fold;
  private readonly states = new Map<unknown, unknown>();
  /** By key: the number of its first record. */
  private readonly firsts = new Map<unknown, number>();
  /** The number of the record that is added. */
  private number = 0;
  private onNew: ((key: unknown) => void) | undefined;

  constructor(aggregate: AnyAggregate, { task, maxKeys }: PartitionGroupsOptions) {
    this.fold = {
      aggregate: checkedFunctions(aggregate, task),
      beforeNew: (key) => {
        if (this.states.size === maxKeys) throw tooManyKeys(task, maxKeys, ' in one partition');
        this.onNew?.(key);
      },
      afterNew: (key) => this.firsts.set(key, this.number),
    };
  }

  /**
   * `number` is the number of the record in the whole input. `onNew` may throw to refuse a new key. Throws what the
   * aggregate throws, MILLRACE_AGGREGATE_OVERFLOW for one key too many, and MILLRACE_INVALID_OPTION for a promise.
   */
  add(record: unknown, number: number, onNew?: (key: unknown) => void): void {
    this.number = number;
    this.onNew = onNew;
    foldInto(this.states, record, this.fold);
  }

  /**
   * Finishes each group and yields its result, also where `finish` throws. Throws an error that ends the run,
   * with its `code`: MILLRACE_INVALID_OPTION for a promise.
   */
  *collect(): Generator<Collected, void, undefined> {
    for (const [key, state] of this.states) {
      const from = this.firsts.get(key) as number;
      this.states.delete(key);
      this.firsts.delete(key);
      try {
        const output = this.fold.aggregate.finish(state, key);
        yield output instanceof Skip ? { from, skip: output.reason } : { from, output };
      } catch (error) {
        if (error instanceof FatalTaskError) throw error;
        yield { from, failure: { error, key } };
      }
    }
  }
}
