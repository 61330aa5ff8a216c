/**
 * Any RxJS operator over plain records, as a task. A boundary: its outputs have a new root.
 *
 * Guarantees: the operator receives records only while the window of its outputs has room, so backpressure passes
 * through it. Outputs beyond the window (a burst from one input) wait in a bounded buffer. An operator that completes
 * early stops its sources. An error that it emits fails the run, because it belongs to no record.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import { checkFunction, checkOptions, count, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch } from '../model/record.js';
import type { OperatorContext, RecordOperator } from './operator-feeder.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

export type { OperatorContext, RecordOperator };

/** Options of `operatorTask`. */
export interface OperatorOptions<In, Out> extends TaskOptions<In, Out> {
  /** The most outputs beyond the window that wait for credits; one more fails the run. Default 65,536. */
  readonly buffer?: number;
}

const DEFAULT_BUFFER = 65_536;

const RULES: OptionRules<OperatorOptions<unknown, unknown>> = { ...TASK_RULES, buffer: count() };

/**
 * Applies an RxJS operator, or several composed with `pipe`, to the records of the input. An error that it emits fails
 * the run with MILLRACE_TASK. Throws MILLRACE_INVALID_OPTION if the operator is not a function, and for options that do
 * not fit.
 *
 * @example operatorTask(bufferCount<Row>(100))
 * @example operatorTask((prices$: Observable<Price>, { scheduler }) => prices$.pipe(auditTime(1000, scheduler)))
 */
export function operatorTask<In, Out>(
  operator: RecordOperator<In, Out>,
  options: OperatorOptions<In, Out> = {},
): Task<In, Out> {
  checkFunction('the operator of an operatorTask', operator);
  checkOptions('an operatorTask', options, RULES);
  return new OperatorTask(operator, options);
}

class OperatorTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind = 'operator';
  override readonly bearing = 'boundary';
  override readonly emitsOnItsOwn = true;
  private readonly apply: RecordOperator<In, Out>;
  private readonly buffer: number;

  constructor(apply: RecordOperator<In, Out>, options: OperatorOptions<In, Out>) {
    super(options);
    this.apply = apply;
    this.buffer = options.buffer ?? DEFAULT_BUFFER;
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return (input$) =>
      new Observable((subscriber) => {
        new operators.OperatorFeeder<In, Out>(this.apply, this.options, this.buffer, scope, subscriber).connect(input$);
      });
  }
}
