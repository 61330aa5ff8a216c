/**
 * Iteration: a function is called for a record again and again, with the state that the call before it returned, until
 * the record is done. It serves refinement, and polling until an upstream has finished.
 *
 * Guarantees: an iteration is a call, so retries, timeouts, rate limits, the limiter and the circuit breaker hold per
 * iteration; a record that waits for its next iteration holds no place of `concurrency`. The number of iterations is
 * bounded. In a run that is kept, a record continues after a crash with the last state in a checkpoint.
 */
import type { OperatorFunction } from 'rxjs';
import type { Batch } from '../../model/record.js';
import {
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  count,
  number,
  type OptionRules,
} from '../../options/options.js';
import type { CallPolicies } from '../../calls/policies/call-policies.js';
import type { TaskScope } from '../../stream/task-scope.js';
import { ASYNC_RULES, callPoliciesOf, type AsyncOptions } from '../async-task.js';
import { DEFAULT_CONCURRENCY } from '../record-task.js';
import { BaseTask, type Operators, type Task, type TaskBound } from '../task.js';
import { DURABLE_RULES, type DurableOptions } from '../task-options.js';
import type { Iterated } from './iterated.js';

/**
 * Options of an `iterateTask`. `retry`, `timeoutMs` and `rateLimit` hold per iteration, `recordTimeoutMs` over all
 * iterations of a record. `durable: false` keeps no states: after a crash, a record is iterated from its beginning.
 */
export interface IterateOptions<In, State> extends Omit<AsyncOptions<In, State>, 'memo'>, DurableOptions {}

const RULES: OptionRules<IterateOptions<never, unknown>> = { ...ASYNC_RULES, ...DURABLE_RULES };

const ITERATED_RULES: OptionRules<Iterated<never, unknown>> = {
  init: callback,
  step: callback,
  until: callback,
  maxIterations: count(),
  everyMs: number(0),
};

/**
 * Calls `step` for a record until `until` returns true, and emits the last state. A record that is not done after
 * `maxIterations` is given up with MILLRACE_ITERATIONS. Throws MILLRACE_INVALID_OPTION for functions and options that
 * do not fit, and without `maxIterations`.
 *
 * @example
 * iterateTask({ init: (job: Job) => ({ ...job, status: 'queued' }), step: async (_, { record, signal }) =>
 * ask(record.id, signal), until: ({ status }) => status === 'done', maxIterations: 100, everyMs: 2000 }, { retry: {
 * attempts: 3 } })
 */
export function iterateTask<In, State>(
  iterated: Iterated<In, State>,
  options: IterateOptions<In, State> = {},
): Task<In, State> {
  checkObject('the functions of an iterateTask', iterated);
  checkOptions('an iterateTask', options, RULES);
  for (const part of ['init', 'step', 'until'] as const) checkFunction(`\`${part}\` of an iterateTask`, iterated[part]);
  checkOptions('the functions of an iterateTask', iterated, ITERATED_RULES, ['maxIterations']);
  return new IterateTask(iterated, options);
}

class IterateTask<In, State> extends BaseTask<In, State> {
  override readonly kind = 'iterate';
  override readonly makesCalls = true;
  override readonly keepsState = true;
  override readonly checkpointFormat = 'iterations';
  private readonly iterated: Iterated<In, State>;
  private readonly iterateOptions: IterateOptions<In, State>;
  private readonly policies: CallPolicies;

  constructor(iterated: Iterated<In, State>, options: IterateOptions<In, State>) {
    super(options);
    this.iterated = iterated;
    this.iterateOptions = options;
    this.policies = callPoliciesOf(options);
  }

  override get bounds(): readonly TaskBound[] {
    // A record that waits between two iterations is not in work, and the window of its root bounds it.
    const { max } = this.policies.concurrency(this.iterateOptions.concurrency ?? DEFAULT_CONCURRENCY);
    return [{ what: 'records in work', most: max }];
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<State>> {
    const { concurrency = DEFAULT_CONCURRENCY, ordered = false, durable = true } = this.iterateOptions;
    const { policies } = this;
    const words = {
      silence: `A step of '${scope.task}' did not end`,
      doubt: 'it may still be running, and its result will be dropped',
    };
    return operators.mapCalls<In, State>(
      new operators.IterationCaller<In, State>(this.iterated, this.options, scope, durable),
      // By setting `retry`, the user declares that the step is safe to repeat.
      { policies, concurrency, ordered, upstream: `The steps of '${scope.task}'`, words, isIdempotent: true },
      scope,
    );
  }
}
