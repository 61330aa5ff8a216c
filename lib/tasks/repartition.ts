/**
 * A task that changes only the place where its records are processed, when a workflow is spread over several processes.
 *
 * Guarantees: in one process it passes records on. If a topic carries the records, records of one key are in one
 * partition, in the order in which each partition in front of it has emitted them. A record whose key cannot divide is
 * given up in one process as well, so the outputs do not depend on the number of processes.
 */
import { checkKey } from '../execution/partition-key.js';
import { checkFunction, checkOptions } from '../options/options.js';
import { SyncTask } from './sync-task.js';
import type { Partitioning, Task } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

/**
 * Passes records on. If the workflow runs in several processes, it also divides the records by a key, so that all
 * processes can share the work of the tasks behind it. In one process it only checks the key: a record whose key is an
 * object, a function or a symbol is a dead letter, and a promise fails the run. Throws MILLRACE_INVALID_OPTION
 * if `key` is not a function, and for options that do not fit.
 *
 * @example repartition((order: Order) => order.customer)
 */
export function repartition<In>(key: (record: In) => unknown, options: TaskOptions<In, In> = {}): Task<In, In> {
  checkFunction('the key of a repartition', key);
  checkOptions('a repartition', options, TASK_RULES);
  return new RepartitionTask(key, options);
}

class RepartitionTask<In> extends SyncTask<In, In> {
  override readonly kind = 'repartition';
  private readonly key: (record: In) => unknown;

  constructor(key: (record: In) => unknown, options: TaskOptions<In, In>) {
    super((record, { task }) => {
      checkKey(key(record), 'key', task);
      return record;
    }, options);
    this.key = key;
  }

  override get partitioning(): Partitioning {
    return { key: this.key };
  }
}
