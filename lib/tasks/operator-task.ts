/**
 * Any RxJS operator over plain records, as a task. A boundary: its outputs have a new root.
 *
 * Guarantees: the operator receives records only while the window of its outputs has room, so backpressure passes
 * through it, and only while it is subscribed to its input, so none is lost if it subscribes late. It receives no more
 * records while it holds the window and `buffer` in operators that wait for inner subscriptions (`concatMap`, `mergeMap` with a
 * limit, `delay`). Outputs beyond the window (a burst from one input) wait in a bounded buffer. An operator that completes early
 * stops its sources. An error that it emits fails the run, after the outputs before it, because it belongs to no record.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import { checkFunction, checkOptions, count, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch } from '../model/record.js';
import type { OperatorContext, RecordOperator } from './operator-feeder.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

export type { OperatorContext, RecordOperator };

/** Options of `operatorTask`. */
export interface OperatorOptions<In, Out> extends TaskOptions<In, Out> {
  /**
   * The most outputs beyond the window that wait for credits; one more fails the run. The operator itself may hold as many
   * records beyond the window in operators such as `concatMap`; then it gets no more until it has room. Default 65,536.
   */
  readonly buffer?: number;
}

const DEFAULT_BUFFER = 65_536;

const RULES: OptionRules<OperatorOptions<unknown, unknown>> = { ...TASK_RULES, buffer: count() };

/**
 * Applies an RxJS operator, or several composed with `pipe`, to the records of the input. An error that it emits fails
 * the run with MILLRACE_TASK, an Observable that it emits with MILLRACE_INVALID_OUTPUT. Throws MILLRACE_INVALID_OPTION if
 * the operator is not a function, and for options that do not fit: `onFailure` applies to records that `input` or `output`
 * refuses, and is refused without a schema, because an error of the operator belongs to no record.
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
  checkFailurePolicy(options);
  return new OperatorTask(operator, options);
}

/** Refuses a policy that could never apply. */
function checkFailurePolicy<In, Out>({ onFailure, input, output }: OperatorOptions<In, Out>): void {
  if (onFailure === undefined || input !== undefined || output !== undefined) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    'Expected no `onFailure` in an operatorTask without schemas: it applies to records that `input` or `output` refuses, and an error of the operator fails the run. Handle errors in the operator, e.g. with catchError',
  );
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
