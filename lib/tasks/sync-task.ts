/** Tasks that run a small function inline, in the thread of the run. */
import type { OperatorFunction } from 'rxjs';
import type { TaskMemo } from '../model/memo.js';
import type { RecordContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import { checkFunction, checkOptions, type OptionRules } from '../options/options.js';
import type { SyncStep } from '../stream/map-sync.js';
import type { FusedTask, Fusible, Members } from './fusible.js';
import { compileSyncStep } from './record-step.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { checkMemo, REMEMBERING_RULES, TASK_RULES, type RememberingOptions, type TaskOptions } from './task-options.js';

/** The work of a `syncTask` on one record. The context is valid during the call. */
export type SyncFunction<In, Out> = (record: In, context: RecordContext) => Out | Skip;

/** Options of `syncTask`. */
export interface SyncOptions<In, Out> extends TaskOptions<In, Out>, RememberingOptions {}

const RULES: OptionRules<SyncOptions<unknown, unknown>> = { ...TASK_RULES, ...REMEMBERING_RULES };

/**
 * Calls a small synchronous function inline, for microseconds of work per record. For work above about 20 µs use
 * `cpuTask`. If the function throws, `onFailure` decides: by default the record becomes a dead letter. `skip(reason)`
 * ends a record on purpose. `syncTask` itself throws MILLRACE_INVALID_OPTION if `work` is not a function, and for
 * options that do not fit.
 *
 * @example syncTask((row: Row) => ({ ...row, total: row.price * row.count }))
 */
export function syncTask<In, Out>(
  work: SyncFunction<In, Out>,
  options: SyncOptions<In, Exclude<Out, Skip>> = {},
): Task<In, Exclude<Out, Skip>> {
  checkFunction('the work of a syncTask', work);
  checkOptions('a syncTask', options, RULES);
  checkMemo('a syncTask', options.memo);
  return new SyncTask<In, Exclude<Out, Skip>>(work as SyncFunction<In, Exclude<Out, Skip>>, options);
}

/** The task that `syncTask` returns; `branch` builds on it. */
export class SyncTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind: string = 'sync';
  override readonly isDeterministic = true;
  private readonly work: SyncFunction<In, Out>;
  private readonly remembers: SyncOptions<In, Out>['memo'];

  constructor(work: SyncFunction<In, Out>, options: SyncOptions<In, Out>) {
    super(options);
    this.work = work;
    this.remembers = options.memo;
  }

  override get memo(): TaskMemo | undefined {
    const { remembers: options } = this;
    return options && { options, parts: () => [String(this.work)], isOrdered: true };
  }

  override get fusible(): ChainTraits {
    return {
      where: 'inline',
      policy: 'sync',
      mayLead: this.remembers === undefined,
      mayFollow: this.remembers === undefined,
      step: (scope) => compileSyncStep(this.work as SyncFunction<unknown, unknown>, this.options, scope),
      fuse: chainOperator,
    };
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return operators.mapSync(compileSyncStep(this.work, this.options, scope), scope);
  }
}

interface ChainTraits extends Fusible {
  readonly step: (scope: TaskScope) => SyncStep<unknown, unknown>;
}

function chainOperator(
  given: Members<FusedTask>,
  operators: Operators,
): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  const members = given as Members<FusedTask & { readonly fusible: ChainTraits }>;
  const tasks = members.map(({ scope, fusible, tap }) => ({
    scope,
    step: fusible.step(scope),
    ...(tap === undefined ? {} : { tap }),
  }));
  return operators.mapChain(tasks as unknown as Parameters<Operators['mapChain']>[0]);
}
