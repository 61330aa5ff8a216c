/**
 * Tasks with a state per key: running features, deduplication, rates, alerts. A keyed scan. A boundary: its outputs have a
 * new root.
 *
 * Guarantees: the records of a key are processed one after the other, in root order in a run with checkpoints. The state of
 * a key and the records that it contains are in one checkpoint, so a resumed run counts each record once. State is bounded
 * by `maxKeys` and `ttlMs`; what is evicted is reported.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import type { RecordContext } from '../model/ports.js';
import type { Batch, Skip } from '../model/record.js';
import {
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  count,
  number,
  type OptionRules,
} from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { DURABLE_RULES, TASK_RULES, type DurableOptions, type TaskOptions } from './task-options.js';

/** How the state of a key changes with each record. `State` may be changed in place by `step`, which returns it. */
export interface Stateful<In, Key, State, Out> {
  /** The key whose state a record belongs to. Default: one state for all records, with the key `undefined`. */
  readonly key?: (record: In) => Key;
  /** The state of a key before its first record, and after it was evicted. */
  readonly init: (key: Key) => State;
  /**
   * Returns the state after the record, and the output, or `skip(reason)`. If it throws, the state stays as it was, unless
   * it was changed in place, and `onFailure` decides about the record.
   */
  readonly step: (state: State, record: In, context: RecordContext) => readonly [state: State, output: Out | Skip];
}

/** Options of `statefulTask`. */
export interface StatefulOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {
  /**
   * The most keys. One more evicts the key that was used longest ago. Default: 10,000,000, and one more fails the run with
   * MILLRACE_AGGREGATE_OVERFLOW.
   */
  readonly maxKeys?: number;
  /** Evicts the state of a key that got no record for so long, in milliseconds of the clock of the run. Default: never. */
  readonly ttlMs?: number;
}

const RULES: OptionRules<StatefulOptions<unknown, unknown>> = {
  ...TASK_RULES,
  ...DURABLE_RULES,
  maxKeys: count(),
  ttlMs: number(Number.MIN_VALUE),
};
const STATEFUL_RULES: OptionRules<Stateful<never, unknown, unknown, unknown>> = {
  key: callback,
  init: callback,
  step: callback,
};

/**
 * Calls `step` with each record and the state of its key, and emits one output per record. In a run with checkpoints the
 * states are part of them (see `DurableOptions`), so they must be plain data. The number of evicted keys is reported as a
 * notice, at the first one and at the end. Throws MILLRACE_INVALID_OPTION if `init` or `step` is not a function, and for
 * options that do not fit.
 *
 * @example
 * statefulTask({ key: (sale: Sale) => sale.member, init: () => 0,
 *   step: (total, sale) => [total + sale.amount, { ...sale, total: total + sale.amount }] })
 */
export function statefulTask<In, State, Out, Key = undefined>(
  stateful: Stateful<In, Key, State, Out>,
  options: StatefulOptions<In, Exclude<Out, Skip>> = {},
): Task<In, Exclude<Out, Skip>> {
  checkObject('the functions of a statefulTask', stateful);
  for (const part of ['init', 'step'] as const) checkFunction(`\`${part}\` of a statefulTask`, stateful[part]);
  if (Object.getPrototypeOf(stateful) === Object.prototype) {
    checkOptions('the functions of a statefulTask', stateful, STATEFUL_RULES);
  }
  checkOptions('a statefulTask', options, RULES);
  return new StatefulTask<In, Key, State, Exclude<Out, Skip>>(
    stateful as Stateful<In, Key, State, Exclude<Out, Skip>>,
    options,
  );
}

class StatefulTask<In, Key, State, Out> extends BaseTask<In, Out> {
  override readonly kind = 'stateful';
  override readonly bearing = 'boundary';
  override readonly isRepeatable = true;
  override readonly isDeterministic: boolean;
  override readonly keepsState = true;
  private readonly stateful: Stateful<In, Key, State, Out>;
  private readonly statefulOptions: StatefulOptions<In, Out>;

  constructor(stateful: Stateful<In, Key, State, Out>, options: StatefulOptions<In, Out>) {
    super(options);
    this.stateful = stateful;
    this.statefulOptions = options;
    // With a time to live, the clock decides too.
    this.isDeterministic = options.ttlMs === undefined;
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return (input$) =>
      new Observable((subscriber) => {
        new operators.KeyedScan<In, Key, State, Out>(this.stateful, this.statefulOptions, scope, subscriber).connect(
          input$,
        );
      });
  }
}
