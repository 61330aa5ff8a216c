/**
 * Expands records: one in, many out. A boundary whose outputs (children) keep a reference to their input (parent).
 *
 * Guarantees: children are pulled one by one while their root has credits, so an endless expansion holds no more than
 * the window. A parent stays in flight until all its children have settled. `gather` collects the children of each
 * parent. If the expansion of a parent throws, the failure policy ends the parent; children that were already emitted
 * continue.
 */
import type { OperatorFunction } from 'rxjs';
import { checkFunction, checkOptions, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import type { ContinuedExpansion, ExpandFunction } from './expander.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { DURABLE_RULES, TASK_RULES, type DurableOptions, type TaskOptions } from './task-options.js';

export type { ExpandFunction };

/** Options of `expandTask`. */
export interface ExpandOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {}

const RULES: OptionRules<ExpandOptions<unknown, unknown>> = { ...TASK_RULES, ...DURABLE_RULES };

/**
 * Makes many records from one: return an array, a generator or an async generator. Parents are expanded one after the
 * other. Throws MILLRACE_INVALID_OPTION if `work` is not a function, and for options that do not fit.
 *
 * @example
 * expandTask(async function* (folder: string) {
 *   for await (const file of await fs.opendir(folder)) yield file.name;
 * })
 */
export function expandTask<In, Out>(
  work: ExpandFunction<In, Out>,
  options: ExpandOptions<In, Out> = {},
): Task<In, Exclude<Out, Skip>> {
  checkFunction('the work of an expandTask', work);
  checkOptions('an expandTask', options, RULES);
  return new ExpandTask<In, Exclude<Out, Skip>>(
    () => work as ExpandFunction<In, Exclude<Out, Skip>>,
    options as ExpandOptions<In, Exclude<Out, Skip>>,
  );
}

/** The task that `expandTask` returns; others build on it. */
export class ExpandTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind: string = 'expand';
  override readonly bearing = 'boundary';
  override readonly isRepeatable: boolean = true;
  override readonly keepsState = true;
  override readonly checkpointFormat: string = 'expansions';
  override readonly expands = true;
  private readonly workOf: (scope: TaskScope, operators: Operators) => ContinuedExpansion<In, Out>;

  /** @param workOf makes the function of one run. */
  constructor(
    workOf: (scope: TaskScope, operators: Operators) => ContinuedExpansion<In, Out>,
    options: ExpandOptions<In, Out>,
  ) {
    super(options);
    this.workOf = workOf;
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return operators.operate((subscriber) => {
      return new operators.Expander<In, Out>(this.workOf(scope, operators), this.options, scope, subscriber);
    });
  }
}
