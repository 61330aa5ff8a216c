/**
 * A workflow as a task of another one. When the outer workflow is prepared, the task is replaced by the tasks of the
 * inner one, whose names begin with the name of the task: `Score/Features`.
 *
 * Guarantees: the tasks are ordinary tasks, so windows, joins, failures, checkpoints and views need no rules for
 * sub-workflows; each run builds tasks of its own; a workflow that contains itself is refused.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { invalidOption, MillraceError } from '../../model/errors.js';
import { anything, checkOptions, text, type OptionRules } from '../../options/options.js';
import type { JoinOptions, TaskDeclaration } from '../../tasks/flow.js';
import { SyncTask } from '../../tasks/sync-task.js';
import { BaseTask, type Task } from '../../tasks/task.js';
import { suggest } from '../../text/nearest.js';
import {
  declarationsOf,
  type BuildContext,
  type ListedDefinition,
  type WorkflowDefinition,
} from './workflow-definition.js';

/** Options of `subWorkflow`. */
export interface SubWorkflowOptions<Input extends string, Output extends string, Config = unknown> {
  /** The source of the inner workflow that the records of the outer task replace. It is not read. */
  readonly input: Input;
  /** The task, or the named output, of the inner workflow whose records the outer task emits. */
  readonly output: Output;
  /** The configuration of the inner workflow. Default: none. */
  readonly config?: Config;
}

const RULES: OptionRules<SubWorkflowOptions<string, string>> = { input: text, output: text, config: anything };

/** The part of a `Workflow` that `subWorkflow` uses. */
export interface Reusable<Config extends StandardSchemaV1, Outputs> {
  /** The name of the workflow, for messages. */
  readonly name: string;
  /**
   * Its definition. Inside of another workflow, its window, dead letters, schedules and `onEnd` are ignored.
   */
  readonly definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>;
  /** Parses the configuration; throws MILLRACE_CONFIG. */
  parseConfig(config: unknown): StandardSchemaV1.InferOutput<Config>;
}

/**
 * Uses a workflow as a task: the records of the dependencies take the place of its source `input`, and the task emits
 * the records of its task `output`. The inner tasks appear in every view as `Task/Inner`. `subWorkflow` throws
 * MILLRACE_INVALID_OPTION for options that do not fit. Preparing the outer workflow throws it if `input` is no source
 * of the inner one, MILLRACE_UNKNOWN_TASK if `output` does not exist, MILLRACE_CYCLE if a workflow contains itself, and
 * MILLRACE_CONFIG if `config` does not fit.
 *
 * @example flow.task('Score', ['Members'], subWorkflow(Scoring, { input: 'Members', output: 'Best' }))
 */
export function subWorkflow<
  Config extends StandardSchemaV1,
  Outputs,
  const Input extends keyof Outputs & string,
  const Output extends keyof Outputs & string,
>(
  workflow: Reusable<Config, Outputs>,
  options: SubWorkflowOptions<Input, Output, StandardSchemaV1.InferInput<Config>> & ConfigOf<Config>,
): Task<Outputs[Input], Outputs[Output]> {
  const { definition } = Object(workflow) as Partial<Reusable<Config, Outputs>>;
  if (definition === undefined) {
    throw invalidOption('Expected the first argument of subWorkflow to be a workflow, as `defineWorkflow` returns it');
  }
  checkOptions('a subWorkflow', options, RULES, ['input', 'output']);
  return new SubWorkflowTask<Outputs[Input], Outputs[Output]>(workflow as unknown as Inner, options);
}

/** A workflow with a schema needs its configuration. */
type ConfigOf<Config extends StandardSchemaV1> =
  unknown extends StandardSchemaV1.InferInput<Config>
    ? object
    : { readonly config: StandardSchemaV1.InferInput<Config> };

type Inner = Reusable<StandardSchemaV1, unknown>;

/** Stands for the tasks of another workflow until the graph is made. */
class SubWorkflowTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind = 'sub-workflow';
  readonly inner: Inner;
  readonly given: SubWorkflowOptions<string, string>;

  constructor(inner: Inner, given: SubWorkflowOptions<string, string>) {
    super();
    this.inner = inner;
    this.given = given;
  }

  override operator(): never {
    throw new MillraceError('MILLRACE_TASK', `'${this.inner.name}' was not replaced by its tasks`);
  }
}

/** Passes records on, at the beginning and at the end of a sub-workflow. */
class Gate extends SyncTask<unknown, unknown> {
  override readonly kind: string;

  constructor(kind: string) {
    super((record) => record, {});
    this.kind = kind;
  }
}

/** The declarations, with the tasks of other workflows in place of each sub-workflow. */
export function withSubWorkflows(
  declarations: readonly TaskDeclaration[],
  context: BuildContext,
  within: readonly Inner[] = [],
): readonly TaskDeclaration[] {
  if (!declarations.some(({ task }) => task instanceof SubWorkflowTask)) return declarations;
  return declarations.flatMap((declaration) =>
    declaration.task instanceof SubWorkflowTask
      ? replaced(declaration, declaration.task as SubWorkflowTask<never, unknown>, context, within)
      : [declaration],
  );
}

function replaced(
  outer: TaskDeclaration,
  { inner, given }: SubWorkflowTask<never, unknown>,
  context: BuildContext,
  within: readonly Inner[],
): readonly TaskDeclaration[] {
  if (within.includes(inner)) {
    throw new MillraceError(
      'MILLRACE_CYCLE',
      `Workflow '${inner.name}' contains itself, as '${outer.name}'. Remove one of the two`,
    );
  }
  const config = inner.parseConfig(given.config);
  const tasks = withSubWorkflows(declarationsOf(inner.definition, config, context), context, [...within, inner]);
  const source = tasks.find(({ name }) => name === given.input);
  if (source?.task.bearing !== 'source') {
    const sources = tasks.filter(({ task }) => task.bearing === 'source').map(({ name }) => name);
    const what = source === undefined ? 'a task that does not exist' : 'another task';
    throw invalidOption(
      `Expected \`input\` of '${outer.name}' to name a source of workflow '${inner.name}', got '${given.input}', ${what}.${suggest(given.input, sources)}`,
    );
  }
  if (source.after !== undefined) {
    throw invalidOption(
      `Expected \`input\` of '${outer.name}' to name a source without a rule, got '${given.input}', which runs after ${source.after.map((name) => `'${name}'`).join(', ')} in workflow '${inner.name}': its records come from '${outer.name}'. Give the rule to '${outer.name}'`,
    );
  }
  const prefix = `${outer.name}/`;
  const moved = tasks.map((task): TaskDeclaration => {
    const { name, dependencies, join, after, members } = task;
    if (task === source) return { ...outer, name: prefix + name, task: new Gate('input') };
    return {
      ...task,
      name: prefix + name,
      dependencies: dependencies.map((label) => prefix + label),
      ...(join && { join: renamed(join, prefix) }),
      ...(after && { after: after.map((label) => prefix + label) }),
      ...(members && { members: members.map((label) => prefix + label) }),
      prefix: prefix + (task.prefix ?? ''),
    };
  });
  const result = {
    name: outer.name,
    dependencies: [prefix + given.output],
    members: moved.map(({ name }) => name),
    task: new Gate('sub-workflow'),
  };
  return [...moved, result];
}

function renamed(join: JoinOptions, prefix: string): JoinOptions {
  if (join.join !== 'aligned' || join.optional === undefined) return join;
  return { ...join, optional: join.optional.map((label) => prefix + label) };
}
