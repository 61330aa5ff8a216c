/** Tasks that work on one record at a time: the class that users extend. */
import type { OperatorFunction } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import type { Awaitable, RecordContext } from '../model/ports.js';
import type { Batch, Skip } from '../model/record.js';
import { checkValues } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import { compileStep } from './record-step.js';
import { BaseTask, type Operators, type TaskBound } from './task.js';
import { CONCURRENT_RULES, type ConcurrentOptions } from './task-options.js';

export const DEFAULT_CONCURRENCY = 64;

/**
 * A task of your own: extend this class and define `process`. Override `open` and `close` to acquire and release the
 * resources of `process`, such as a connection or a file.
 *
 * @example
 * class Upsert extends RecordTask<Row, Row> {
 *   async process(row: Row) { await this.db.upsert(row); return row; }
 * }
 */
export abstract class RecordTask<In, Out> extends BaseTask<In, Out> {
  /** The options, as given. */
  declare readonly options: ConcurrentOptions<unknown, unknown>;

  /**
   * Throws MILLRACE_INVALID_OPTION for values that do not fit. Option names that only the subclass knows are accepted.
   */
  constructor(options: ConcurrentOptions<In, Out> = {}) {
    super(options);
    checkValues(options, CONCURRENT_RULES);
  }

  override get bounds(): readonly TaskBound[] {
    return [{ what: 'records in work', most: this.options.concurrency ?? DEFAULT_CONCURRENCY }];
  }

  /** The work on one record. Returns the output, or `skip(reason)`. Several calls may run at the same time. */
  protected abstract process(record: In, context: RecordContext): Awaitable<Out | Skip>;

  /**
   * Calls `process` for each record, at most `concurrency` at a time. Throws MILLRACE_INVALID_OPTION if the class has
   * no `process`.
   */
  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    // TypeScript demands the method; a class in JavaScript may lack it.
    if (typeof (this.process as unknown) !== 'function') {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Task '${scope.task}' has no \`process\`: a class that extends RecordTask needs one`,
      );
    }
    const step = compileStep<In, Out>((record, context) => this.process(record, context), this.options, scope);
    const { concurrency = DEFAULT_CONCURRENCY, ordered = false } = this.options;
    return operators.mapBounded(step, { concurrency, ordered }, scope);
  }
}
