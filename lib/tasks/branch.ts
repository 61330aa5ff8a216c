/**
 * A choice: a task with several named outputs that emits each record by exactly one of them.
 *
 * Guarantees: the output of a record is chosen once; every output has every lineage, so the branches can be joined
 * again, and no join waits for a record that left by another output.
 */
import { refusePromise } from '../model/awaitable.js';
import { MillraceError, describeValue, invalidOption } from '../model/errors.js';
import type { RecordContext } from '../model/ports.js';
import { Routed, Skip } from '../model/record.js';
import { checkFunction, checkOptions, oneOf, standardSchema, words, type OptionRules } from '../options/options.js';
import type { Schema } from '../options/schema.js';
import { SyncTask } from './sync-task.js';
import type { Task } from './task.js';

/** Chooses the output of one record, or ends the record by `skip(reason)`. The context is valid during the call. */
export type BranchFunction<In, Name extends string> = (record: In, context: RecordContext) => Name | Skip;

/** Options of `branch`. */
export interface BranchOptions<In> {
  /** One line for `list` and `graph`. */
  readonly description?: string;
  /** What happens to a record for which the function throws. Default 'dead-letter'. */
  readonly onFailure?: 'dead-letter' | 'skip' | 'fail';
  /** Validates each record before the function receives it. */
  readonly input?: Schema<In>;
}

const RULES: OptionRules<BranchOptions<unknown>> = {
  description: words,
  onFailure: oneOf('dead-letter', 'skip', 'fail'),
  input: standardSchema,
};

/** The type of each branch: the record itself. */
type Branches<In, Name extends string> = { readonly [Key in Name]: In };

/**
 * Emits each record by the output that `choose` names. Other tasks depend on the outputs: `['Route.large']`. The
 * compiler refuses a function that may return another name; a workflow in which no task depends on one of the outputs
 * is refused with MILLRACE_UNREACHABLE. Throws MILLRACE_INVALID_OPTION if `names` are not at least two different names
 * without a dot, if `choose` is not a function, and for options that do not fit.
 *
 * @example branch(['large', 'small'], (order: Order) => (order.total > 100 ? 'large' : 'small'))
 */
export function branch<In, const Name extends string>(
  names: readonly [Name, Name, ...Name[]],
  choose: BranchFunction<In, NoInfer<Name>>,
  options: BranchOptions<In> = {},
): Task<In, never, Branches<In, Name>> {
  checkNames(names);
  checkFunction('the choice of a branch', choose);
  checkOptions('a branch', options, RULES);
  return new BranchTask<In, Name>(names, choose, options);
}

class BranchTask<In, Name extends string> extends SyncTask<In, never> {
  declare readonly branches?: () => Branches<In, Name>;
  override readonly kind = 'branch';
  override readonly outputs: readonly string[];

  constructor(names: readonly Name[], choose: BranchFunction<In, Name>, options: BranchOptions<In>) {
    super(routing(names, choose) as never, options);
    this.outputs = [...names];
  }

  /** The branches need the records, so no task may follow in the chain. */
  override get fusible(): SyncTask<In, never>['fusible'] {
    return { ...super.fusible, mayLead: false };
  }
}

function routing<In, Name extends string>(names: readonly Name[], choose: BranchFunction<In, Name>) {
  const known = new Set<unknown>(names);
  return (record: In, context: RecordContext): Routed | Skip => {
    const name = choose(record, context);
    if (known.has(name)) return new Routed(name as Name, record);
    if (name instanceof Skip) return name;
    refusePromise(name, `The choice of '${context.task}'`);
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `Expected the branch of '${context.task}' to be ${names.map((one) => `'${one}'`).join(' or ')}, got ${describeValue(name)}`,
    );
  };
}

function checkNames(names: readonly unknown[]): void {
  const isFit =
    Array.isArray(names) &&
    names.length > 1 &&
    new Set(names).size === names.length &&
    names.every((name) => typeof name === 'string' && name !== '' && name !== 'failed' && !name.includes('.'));
  if (isFit) return;
  throw invalidOption(
    `Expected the outputs of a branch to be at least two different names, without a dot and other than 'failed', got ${describeValue(names)}`,
  );
}
