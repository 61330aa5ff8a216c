/**
 * The typed builder: tasks by name, dependencies by the names of earlier tasks, input types inferred from both.
 *
 * Guarantees: a dependency that does not exist, a task that accepts another type of record, and a second task of the
 * same name do not compile. In JavaScript the check of the graph reports the same mistakes as errors.
 */
import { invalidOption, describeValue } from '../model/errors.js';
import type { GraphNode, JoinMode } from '../model/graph.js';
import type { FailedRecord } from '../model/record.js';
import type { RuleCondition, TaskEnd } from '../model/phases.js';
import {
  anything,
  checkFunction,
  checkOptions,
  count,
  flag,
  names as nameList,
  oneOf,
  type OptionRule,
  type OptionRules,
} from '../options/options.js';
import type { KeyedKind } from '../stream/join-keyed.js';
import type { SourceTask } from './source-task.js';
import { isTask, type Beside, type NoOutputs, type Task } from './task.js';

/** How the records of several dependencies are joined. */
export type JoinOptions =
  | AlignedOptions
  | {
      /** Pairs each record with the newest record of every other dependency, once each of them has emitted one. */
      readonly join: 'latest';
      /** See `DurableOptions`. The newest records are the state. Default true. */
      readonly durable?: boolean;
    }
  | MergeOptions
  | AllOptions
  | GatherOptions
  | KeyedJoinOptions<never, never, KeyedKind>;

/** Pairs the outputs of one lineage. */
export interface AlignedOptions {
  /** The default: one tuple per lineage. Dependencies of several roots are refused with MILLRACE_JOIN. */
  readonly join: 'aligned';
  /**
   * Dependencies for which a tuple has `undefined` where their branch skipped the record or gave it up. At least one
   * dependency is not optional: it decides which records the task receives. Default: none.
   */
  readonly optional?: readonly string[];
}

/**
 * Passes on the records of all dependencies, each record on its own. Behind the branches of one choice the records keep
 * their lineage; anything else (several sources, or branches that a record may follow at the same time) is a union with a
 * root of its own.
 */
export interface MergeOptions {
  /** One record at a time, of any dependency. */
  readonly join: 'merge';
  /** Whether the task receives `{ from, record }`, with the dependency that the record came from. Default false. */
  readonly labelled?: boolean;
  /** See `DurableOptions`. The records in flight of a union are the state. Default true. */
  readonly durable?: boolean;
}

/** Waits for the end of every dependency. The task then receives one array per dependency, with all its records. */
export interface AllOptions {
  /** The task runs once; more records than `limit` fail the run with MILLRACE_COLLECT_OVERFLOW. */
  readonly join: 'all';
  /** The most records collected per dependency; one more fails the run. Default 1,000,000. */
  readonly limit?: number;
  /** See `DurableOptions`. The collected records are the state. */
  readonly durable?: boolean;
}

/** Collects the children that an `expandTask` made from one parent, when all of them have settled. */
export interface GatherOptions {
  /** One array per parent. Needs exactly one dependency, which is below an `expandTask`; otherwise MILLRACE_JOIN. */
  readonly join: 'gather';
  /** The most children of one parent. The failure policy of the task ends a parent with more. Default 100,000. */
  readonly limit?: number;
}

interface KeyedFields<Left, Right> {
  /** The key of each dependency's records, compared as a Map compares keys. */
  readonly on: readonly [(left: Left) => unknown, (right: Right) => unknown];
  /**
   * The most records kept per side. Beyond that, the oldest unmatched record becomes a dead letter. Default 100,000.
   */
  readonly capacity?: number;
  /** See `DurableOptions`. The kept records of both sides are the state. Default true. */
  readonly durable?: boolean;
}

/**
 * Pairs the records of two dependencies whose keys are equal, of one root or of two: a symmetric
 * hash join (Wilschut & Apers, 1991) with bounded state.
 */
export interface KeyedJoinOptions<Left, Right, Kind extends KeyedKind> extends KeyedFields<Left, Right> {
  /** Needs exactly two dependencies, otherwise MILLRACE_JOIN. Chain keyed joins for more. */
  readonly join: 'keyed';
  /**
   * The unmatched records that are emitted: none (`inner`), those of the first dependency (`left`), or those of both
   * (`outer`). In JavaScript it may be omitted, which means `inner`.
   */
  readonly kind: Kind;
}

/** The input of a task with these dependencies: the record of one, a tuple of several. */
export type InputOf<Outputs, Names extends readonly (keyof Outputs)[]> = Names extends readonly [
  infer Only extends keyof Outputs,
]
  ? Outputs[Only]
  : { -readonly [Index in keyof Names]: Outputs[Names[Index]] };

/** The input of a task whose dependencies are collected into arrays. */
export type CollectedOf<Outputs, Names extends readonly (keyof Outputs)[]> = Names extends readonly [
  infer Only extends keyof Outputs,
]
  ? Outputs[Only][]
  : { -readonly [Index in keyof Names]: Outputs[Names[Index]][] };

type PairOf<Left, Right, Kind extends KeyedKind> = Kind extends 'inner'
  ? [Left, Right]
  : Kind extends 'left'
    ? [Left, Right | undefined]
    : [Left, Right | undefined] | [undefined, Right];

/** The join options, with the types of the dependencies. */
type JoinSpec<
  Outputs,
  Names extends readonly (keyof Outputs)[],
  Mode extends JoinMode,
  Kind extends KeyedKind,
  Optional extends Names[number],
  Labelled extends boolean,
> = {
  readonly join: Mode;
  /** Keyed joins only, and required there. */
  readonly kind?: Kind;
  /** Aligned joins only. */
  readonly optional?: readonly Optional[];
  /** Merges only. */
  readonly labelled?: Labelled;
} & (Mode extends 'keyed'
  ? KeyedFields<Outputs[Names[0] & keyof Outputs], Outputs[Names[1] & keyof Outputs]> & {
      readonly kind: Kind;
    } & Without<'optional' | 'labelled'>
  : Mode extends 'all'
    ? Omit<AllOptions, 'join'> & Without<'kind' | 'optional' | 'labelled'>
    : Mode extends 'gather'
      ? Omit<GatherOptions, 'join'> & Without<'kind' | 'optional' | 'labelled'>
      : Mode extends 'latest'
        ? { readonly durable?: boolean } & Without<'kind' | 'optional' | 'labelled'>
        : Mode extends 'merge'
          ? { readonly durable?: boolean } & Without<'kind' | 'optional'>
          : Without<'kind' | 'labelled'>);

type Without<Key extends string> = { readonly [Name in Key]?: never };

/** The input of a task whose dependencies are joined in this mode. */
type JoinedOf<
  Outputs,
  Names extends readonly (keyof Outputs)[],
  Mode extends JoinMode,
  Kind extends KeyedKind,
  Optional,
  Labelled,
> = Mode extends 'keyed'
  ? PairOf<Outputs[Names[0] & keyof Outputs], Outputs[Names[1] & keyof Outputs], Kind>
  : Mode extends 'all' | 'gather'
    ? CollectedOf<Outputs, Names>
    : Mode extends 'merge'
      ? MergedOf<Outputs, Names[number], Labelled>
      : [Optional] extends [never]
        ? InputOf<Outputs, Names>
        : PartlyOf<Outputs, Names, Optional>;

/** A tuple in which the records of optional dependencies may be missing. */
type PartlyOf<Outputs, Names extends readonly (keyof Outputs)[], Optional> = {
  -readonly [Index in keyof Names]: Names[Index] extends Optional
    ? Outputs[Names[Index]] | undefined
    : Outputs[Names[Index]];
};

/**
 * A record of any of the dependencies. While the compiler infers a function, `Labelled` is `never` if the option is
 * absent.
 */
type MergedOf<Outputs, Name extends keyof Outputs, Labelled> = [true] extends [Labelled]
  ? { [From in Name]: { readonly from: From; readonly record: Outputs[From] } }[Name]
  : Outputs[Name];

/**
 * Runs a task after other tasks have ended and their results are in place. The task does not receive their records. In
 * a flow, a rule takes the place of the dependencies.
 */
export interface RuleOptions<Name extends string = string> {
  /** The names of the tasks that have to end first; at least one. */
  readonly after: readonly Name[];
  /**
   * `completed` (default): runs if all of them have completed. `failed`: runs if one of them has failed. `ended`: runs
   * in any case, also when the run fails, is cancelled or drained, and after everything else.
   */
  readonly when?: RuleCondition;
}

/** The input of a task that runs after others: the end of each of them, by name. */
export type EndsOf<Name extends string> = { readonly [Task in Name]: TaskEnd };

/** The input of a task with these dependencies, or with this rule. */
type InputFrom<Outputs, From> = From extends readonly (keyof Outputs)[]
  ? InputOf<Outputs, From>
  : From extends { readonly after: readonly (infer Name extends string)[] }
    ? EndsOf<Name>
    : never;

/** The names of tasks, without those of their named outputs. */
type TaskNames<Outputs> = keyof Outputs extends infer Key ? (Key extends `${infer Name}.failed` ? Name : never) : never;

/** The name itself, or a sentence that no name can match. */
type NewName<Name extends string, Outputs> = Name extends keyof Outputs
  ? `A task named '${Name}' exists already`
  : Name;

/** The outputs of a flow with one more task: its plain output, its named ones, and the records that it gives up. */
type With<Outputs, Name extends string, In, Out, Named extends object> = {
  [Key in keyof Outputs | NewKey<Name, Named>]: Key extends keyof Outputs
    ? Outputs[Key]
    : Key extends `${Name}.failed`
      ? FailedRecord<In>
      : Key extends `${Name}.${infer Output extends keyof Named & string}`
        ? Named[Output]
        : Out;
};

/** A task with named outputs has a plain output only if they are declared with `Beside`. */
type NewKey<Name extends string, Named extends object> =
  | `${Name}.failed`
  | (keyof Named extends keyof Beside ? Name : never)
  | (Named extends Beside ? Name : never)
  | `${Name}.${keyof Named & string}`;

/** One declared task, without types. */
export interface TaskDeclaration {
  /** Unique in the workflow: a second task of this name is refused with MILLRACE_DUPLICATE_TASK. */
  readonly name: string;
  /** Names of other tasks, or of their named outputs; empty for a source, and only for a source. */
  readonly dependencies: readonly string[];
  /** How the records of the dependencies are joined. Default: aligned by lineage. */
  readonly join?: JoinOptions | undefined;
  /** The tasks that have to end before this one starts, which then has no dependencies; see `RuleOptions`. */
  readonly after?: readonly string[] | undefined;
  /** How they have to end. Default 'completed'. */
  readonly when?: RuleCondition | undefined;
  /** The prefix of the names, if the task comes from a sub-workflow. Set by millrace. */
  readonly prefix?: string | undefined;
  /**
   * The tasks of the sub-workflow that this task is the end of; the first one is where its records come in. Set by
   * millrace.
   */
  readonly members?: readonly string[] | undefined;
  /**
   * The record with which the task starts, in place of `after`, if the tasks that its rule names belong to another run.
   * Set by millrace.
   */
  readonly startsWith?: Readonly<Record<string, TaskEnd>> | undefined;
  /** The task. It belongs to one run at a time. */
  readonly task: Task<never, unknown>;
}

/**
 * A workflow under construction. Every call returns a new one. `Outputs` maps the names of tasks to the types of their
 * outputs.
 */
export interface Flow<Outputs> {
  /** Adds a source: a task without dependencies. Throws MILLRACE_INVALID_OPTION for an invalid name or task. */
  task<Name extends string, Out>(
    name: NewName<Name, Outputs>,
    source: SourceTask<Out>,
  ): Flow<With<Outputs, Name, unknown, Out, NoOutputs>>;
  /**
   * Adds a task over earlier tasks of one root; their outputs are aligned by lineage. Or, with a rule in place of the
   * dependencies, adds a task that runs once, after other tasks have ended. It receives one record, with the end of
   * each of them. If it fails, the run fails, unless `onFailure` has another value. Throws MILLRACE_INVALID_OPTION for
   * an invalid name, array of names, rule or task. The planner checks that the dependencies exist.
   *
   * @example
   * flow.task('Publish', { after: ['Load'] }, asyncTask(({ Load }) => publish(Load.counts.out)))
   */
  task<
    Name extends string,
    const From extends
      readonly [keyof Outputs & string, ...(keyof Outputs & string)[]] | RuleOptions<TaskNames<Outputs>>,
    Out,
    Named extends object = NoOutputs,
  >(
    name: NewName<Name, Outputs>,
    from: From,
    task: Task<InputFrom<Outputs, From>, Out, Named>,
  ): Flow<With<Outputs, Name, InputFrom<Outputs, From>, Out, Named>>;
  /**
   * Adds a task over dependencies that are joined in another way: see `JoinOptions`. Throws MILLRACE_INVALID_OPTION as
   * above, and for join options that do not fit.
   */
  task<
    Name extends string,
    const Names extends readonly [keyof Outputs & string, ...(keyof Outputs & string)[]],
    Mode extends JoinMode,
    Out,
    Kind extends KeyedKind = 'inner',
    Optional extends Names[number] = never,
    Labelled extends boolean = false,
    Named extends object = NoOutputs,
  >(
    name: NewName<Name, Outputs>,
    dependencies: Names,
    // One signature for all modes: with one overload per mode, the parameter types of an inline function would be fixed
    // too early.
    how: JoinSpec<Outputs, Names, Mode, Kind, Optional, Labelled>,
    task: Task<JoinedOf<Outputs, Names, Mode, Kind, Optional, Labelled>, Out, Named>,
  ): Flow<With<Outputs, Name, JoinedOf<Outputs, Names, Mode, Kind, Optional, Labelled>, Out, Named>>;

  /**
   * Adds a source that is read after other tasks have ended; see `RuleOptions`. Throws MILLRACE_INVALID_OPTION as
   * above.
   */
  task<Name extends string, Out>(
    name: NewName<Name, Outputs>,
    rule: RuleOptions<TaskNames<Outputs>>,
    source: SourceTask<Out>,
  ): Flow<With<Outputs, Name, unknown, Out, NoOutputs>>;

  /**
   * Adds the tasks that `add` adds for each item, for a graph that is made from data. Name them with a template such as
   * `Model ${name}`, so that the compiler keeps the types of the other tasks. Throws MILLRACE_INVALID_OPTION if `add`
   * does not return the flow, and the errors of `task`.
   *
   * @example
   * flow.each(config.models, (flow, { name, url }) => flow.task(`Model ${name}`, ['Members'], requestTask({ url })))
   */
  each<Item, Added extends Outputs>(
    items: Iterable<Item>,
    add: (flow: Flow<Outputs>, item: Item, index: number) => Flow<Added>,
  ): Flow<Added>;

  /** The tasks declared so far, in order. */
  readonly declarations: readonly TaskDeclaration[];
}

/** An empty workflow. */
export function emptyFlow(): Flow<object> {
  return new FlowBuilder([]) as Flow<object>;
}

class FlowBuilder {
  /** Shared with the flows that this one was made from. Each of them uses the first `length` declarations. */
  private readonly all: TaskDeclaration[];
  private readonly length: number;

  constructor(declarations: TaskDeclaration[]) {
    this.all = declarations;
    this.length = declarations.length;
  }

  get declarations(): readonly TaskDeclaration[] {
    return this.all.slice(0, this.length);
  }

  /** The overloads of `Flow.task`, distinguished by the types of the arguments. */
  task(name: string, ...rest: unknown[]): FlowBuilder {
    const task = rest.at(-1);
    const from = rest.length > 1 ? rest[0] : [];
    const join = rest.length > 2 ? rest[1] : undefined;
    const declared = isRule(from)
      ? declare({ name, join, task, ...checkedRule(name, from) })
      : declare({ name, dependencies: from, join, task });
    // Another flow may have been made from this one before. Then each has declarations of its own.
    const all = this.all.length === this.length ? this.all : this.all.slice(0, this.length);
    all.push(declared);
    return new FlowBuilder(all);
  }

  each(items: Iterable<unknown>, add: (flow: FlowBuilder, item: unknown, index: number) => unknown): FlowBuilder {
    let flow = new FlowBuilder(this.all.slice(0, this.length));
    let index = 0;
    for (const item of items) {
      const added = add(flow, item, index++);
      if (!(added instanceof FlowBuilder)) {
        throw invalidOption(
          `Expected the function of \`each\` to return the flow, as \`(flow, item) => flow.task(…)\` does, got ${describeValue(added)}`,
        );
      }
      flow = added;
    }
    return flow;
  }
}

/** Checks a declaration that may come from JavaScript. */
export function declare(given: {
  readonly name: unknown;
  readonly dependencies?: unknown;
  readonly join?: unknown;
  readonly after?: unknown;
  readonly when?: unknown;
  readonly prefix?: string | undefined;
  readonly startsWith?: TaskDeclaration['startsWith'];
  readonly task: unknown;
}): TaskDeclaration {
  const { name, dependencies = [], join, after, when, prefix, startsWith, task } = given;
  if (typeof name !== 'string' || name === '') {
    throw invalidOption(`Expected the name of a task to be a string that is not empty, got ${describeValue(name)}`);
  }
  if (!isTask(task)) {
    throw invalidOption(
      `Expected '${name}' to be a task (syncTask(…), asyncTask(…), …), got ${describeValue(task)}. Wrap a plain function in syncTask`,
    );
  }
  if (!Array.isArray(dependencies) || dependencies.some((dependency) => typeof dependency !== 'string')) {
    throw invalidOption(
      `Expected the dependencies of '${name}' to be an array of task names, got ${describeValue(dependencies)}`,
    );
  }
  checkJoin(name, join);
  const isRuled = after !== undefined || when !== undefined;
  const rule = isRuled ? checkedRule(name, { after, when }) : {};
  if (isRuled && join !== undefined) {
    throw invalidOption(
      `Expected '${name}' to have no join, because it runs after others and has no dependencies, got ${describeValue(join)}`,
    );
  }
  return {
    name,
    dependencies: dependencies as string[],
    ...(join === undefined ? {} : { join: join as JoinOptions }),
    ...rule,
    ...(prefix === undefined ? {} : { prefix }),
    ...(startsWith === undefined ? {} : { startsWith }),
    task,
  };
}

const RULE: OptionRules<RuleOptions> = { after: nameList, when: oneOf('completed', 'ended', 'failed') };

/** True for any object that is not an array, also if it is not a valid rule. */
function isRule(from: unknown): from is object {
  return typeof from === 'object' && from !== null && !Array.isArray(from);
}

function checkedRule(name: string, rule: object): RuleOptions {
  const { after, when } = rule as Partial<RuleOptions>;
  if (!Array.isArray(after) || after.length === 0) {
    throw invalidOption(
      `Expected \`after\` of '${name}' to name the tasks that it runs after, got ${describeValue(after)}`,
    );
  }
  const given = when === undefined ? { after: after as string[] } : { after: after as string[], when };
  checkOptions(`the rule of '${name}'`, { ...rule, ...given }, RULE);
  return given;
}

const LIMITED: OptionRules<GatherOptions> = { join: anything, limit: count() };
const COLLECTED: OptionRules<AllOptions> = { ...LIMITED, durable: flag };
const ALIGNED: OptionRules<AlignedOptions> = { join: anything, optional: nameList };
const MERGED: OptionRules<MergeOptions> = { join: anything, labelled: flag, durable: flag };
const KEYED: OptionRules<KeyedJoinOptions<never, never, KeyedKind>> = {
  join: anything,
  on: anything,
  kind: oneOf('inner', 'left', 'outer'),
  capacity: count(),
  durable: flag,
};
const JOIN_RULES: Readonly<Record<JoinMode, Readonly<Record<string, OptionRule>>>> = {
  aligned: ALIGNED,
  latest: { join: anything, durable: flag },
  keyed: KEYED,
  all: COLLECTED,
  gather: LIMITED,
  merge: MERGED,
};
const JOIN_MODES = Object.keys(JOIN_RULES) as readonly JoinMode[];

function checkJoin(name: string, join: unknown): void {
  if (join === undefined) return;
  const mode = typeof join === 'object' && join !== null && 'join' in join ? join.join : undefined;
  if (!JOIN_MODES.includes(mode as JoinMode)) {
    throw invalidOption(
      `Expected the join of '${name}' to be { join: ${JOIN_MODES.map((known) => `'${known}'`).join(' | ')} }, got ${describeValue(join)}`,
    );
  }
  checkOptions(`the join of '${name}'`, join as object, JOIN_RULES[mode as JoinMode]);
  if (mode !== 'keyed') return;
  const { on } = join as { readonly on?: unknown };
  if (!Array.isArray(on) || on.length !== 2)
    throw invalidOption(`Expected \`on\` of '${name}' to be two key functions, got ${describeValue(on)}`);
  for (const key of on) checkFunction(`a key of '${name}'`, key);
}

/** The graph of the declarations, in the form that the planner accepts. */
export function graphOf(declarations: readonly TaskDeclaration[]): GraphNode[] {
  return declarations.map(({ name, dependencies, join, after, when, members, startsWith, task }) => ({
    name,
    after: startsWith === undefined ? after : [],
    when,
    members,
    dependencies,
    join: join?.join,
    optional: join?.join === 'aligned' ? join.optional : undefined,
    // A task of another copy of the package may lack the member.
    outputs: (task.outputs as readonly string[] | undefined) ?? [],
    sideOutputs: task.sideOutputs,
    handlesFailures: (task.options.onFailure ?? 'dead-letter') !== 'dead-letter',
    bearing: task.bearing,
    expands: task.expands,
    isDurable: task.isDurable,
  }));
}
