/**
 * Any RxJS operator over plain records, as a task. A boundary: its outputs have a new root.
 *
 * Guarantees: backpressure passes through the operator: it receives records only while the window of its outputs has
 * room. It receives records only while it is subscribed to its input, so a late subscription loses none. Operators that
 * wait for inner subscriptions (`concatMap`, `mergeMap` with a limit, `delay`) hold at most the window and `buffer`;
 * then the operator receives no more records. Outputs beyond the window (a burst from one input) wait in a bounded
 * buffer. An operator that completes early stops its sources. An error that it emits fails the run, after the outputs
 * before it, because it belongs to no record.
 *
 * In a resumed run, a new operator receives the same records again. Before the crash, the operator may have emitted
 * only while it received a record, or at the end of its input. Then its outputs are the same again: those that were
 * emitted before are dropped, and the run continues behind them. Otherwise its outputs depend on more than its input
 * (on time, on a call), and everything behind it is repeated.
 */
import type { OperatorFunction } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import { checkFunction, checkOptions, count, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch } from '../model/record.js';
import type { OperatorContext, OperatorLimits, RecordOperator } from './operator-feeder.js';
import { BaseTask, type Operators, type Task, type TaskBound } from './task.js';
import { DURABLE_RULES, TASK_RULES, type DurableOptions, type TaskOptions } from './task-options.js';

export type { OperatorContext, RecordOperator };

/** Options of `operatorTask`. */
export interface OperatorOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {
  /**
   * The most outputs beyond the window that wait for credits; one more fails the run. It is also the most records
   * beyond the window that the operator may hold, for example in `concatMap`; then it receives no more until it has
   * room. Default 65,536.
   */
  readonly buffer?: number;
  /**
   * For a run with checkpoints whose operator is `durable`: the most input records that are kept, so that a resumed run
   * can pass them to the operator again. With more records, the run continues and cannot be resumed. Default 1,000,000.
   */
  readonly history?: number;
}

const DEFAULT_BUFFER = 65_536;
const DEFAULT_HISTORY = 1_000_000;

const RULES: OptionRules<OperatorOptions<unknown, unknown>> = {
  ...TASK_RULES,
  ...DURABLE_RULES,
  buffer: count(),
  history: count(),
};

/**
 * Applies an RxJS operator, or several composed with `pipe`, to the records of the input. An error that it emits fails
 * the run with MILLRACE_TASK, an Observable that it emits with MILLRACE_INVALID_OUTPUT. Throws MILLRACE_INVALID_OPTION
 * if the operator is not a function, and for options that do not fit: `onFailure` applies to records that `input` or
 * `output` refuses, and is refused without a schema, because an error of the operator belongs to no record.
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
  /** Assumed until the operator emits outside of the turn of an input. */
  override readonly isDeterministic = true;
  override readonly keepsState = true;
  override readonly checkpointFormat = 'inputs';
  private readonly apply: RecordOperator<In, Out>;
  private readonly limits: OperatorLimits;

  constructor(apply: RecordOperator<In, Out>, options: OperatorOptions<In, Out>) {
    super(options);
    this.apply = apply;
    this.limits = { buffer: options.buffer ?? DEFAULT_BUFFER, history: options.history ?? DEFAULT_HISTORY };
  }

  override get bounds(): readonly TaskBound[] {
    return [{ what: 'records beyond the window in the operator', most: this.limits.buffer }];
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return operators.operate((subscriber) => {
      return new operators.OperatorFeeder<In, Out>(this.apply, this.options, this.limits, scope, subscriber);
    });
  }
}
