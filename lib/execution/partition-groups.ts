/**
 * The groups of one partition of an aggregate: all records of its keys, folded in the order of arrival.
 *
 * Guarantees: results come in the order in which their keys first appeared, and each state is released when its result
 * is made.
 */
import { FatalTaskError } from '../model/errors.js';
import type { Collected } from './executor.js';
import type { AnyAggregate } from './load-export.js';
import { refusePromise } from './refuse-promise.js';
import { Skip } from '../model/record.js';

interface Group {
  /** The number of the first record of the key. */
  readonly from: number;
  state: unknown;
}

export interface PartitionGroupsOptions {
  /** The name of the aggregating task, for messages. */
  readonly task: string;
  readonly maxKeys: number;
}

/** The groups of a part that has all records of its keys: it returns results. */
export class PartitionGroups {
  private readonly aggregate: AnyAggregate;
  private readonly options: PartitionGroupsOptions;
  private readonly groups = new Map<unknown, Group>();

  constructor(aggregate: AnyAggregate, options: PartitionGroupsOptions) {
    this.aggregate = aggregate;
    this.options = options;
  }

  /**
   * `number` is the number of the record in the whole input. `onNew` may throw to refuse a new key. Throws what the
   * aggregate throws, MILLRACE_AGGREGATE_OVERFLOW for one key too many, and MILLRACE_INVALID_OPTION for a promise.
   */
  add(record: unknown, number: number, onNew?: (key: unknown) => void): void {
    const { key, init, add } = this.aggregate;
    const name = key === undefined ? undefined : key(record);
    const group = this.groups.get(name);
    if (group !== undefined) {
      group.state = this.checked(add(group.state, record), 'add');
      return;
    }
    const { task, maxKeys } = this.options;
    if (this.groups.size === maxKeys) {
      throw new FatalTaskError(
        'MILLRACE_AGGREGATE_OVERFLOW',
        `'${task}' holds ${maxKeys} keys in one partition, and a record has another key. Raise \`maxKeys\`, or choose a coarser key`,
      );
    }
    onNew?.(name);
    const state = this.checked(init(name), 'init');
    this.groups.set(name, { from: number, state: this.checked(add(state, record), 'add') });
  }

  /**
   * Finishes each group and yields its result, also where `finish` throws. Throws an error that ends the run,
   * with its `code`: MILLRACE_INVALID_OPTION for a promise.
   */
  *collect(): Generator<Collected, void, undefined> {
    for (const [key, { from, state }] of this.groups) {
      this.groups.delete(key);
      try {
        const output = this.checked(this.aggregate.finish(state, key), 'finish');
        yield output instanceof Skip ? { from, skip: output.reason } : { from, output };
      } catch (error) {
        if (error instanceof FatalTaskError) throw error;
        yield { from, failure: { error, key } };
      }
    }
  }

  private checked(value: unknown, name: keyof AnyAggregate): unknown {
    refusePromise(value, `\`${name}\` of '${this.options.task}'`);
    return value;
  }
}
