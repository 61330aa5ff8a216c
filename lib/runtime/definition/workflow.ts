/**
 * A workflow: the definition that runs are created from.
 *
 * Guarantees: creating a workflow opens nothing; `plan` and `run` first check the configuration and the graph, and
 * throw one error that names the mistakes.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MillraceError } from '../../model/errors.js';
import { describeIssues } from '../../options/schema.js';
import type { Checkpoint } from '../../model/checkpoint.js';
import type { LetterHead } from '../../model/ports.js';
import { systemClock } from '../../model/clock.js';
import { PreparedWorkflow, type PrepareOptions, type WorkflowPlan } from './prepared-workflow.js';
import { checkRunOptions, type RunOptions } from './run-options.js';
import type { Run } from '../run/run.js';
import { checkDefinition, type ListedDefinition, type WorkflowDefinition } from './workflow-definition.js';

/** A workflow that can be run, by the command line or by code; see `defineWorkflow`. */
export class Workflow<Config extends StandardSchemaV1 = StandardSchemaV1, Outputs = Record<string, unknown>> {
  /** The name of the workflow, also on the command line; never empty. */
  readonly name: string;
  /** One line for people; '' if the definition has none. */
  readonly description: string;
  /** The definition, as given to `defineWorkflow`. */
  readonly definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>;

  /** Throws MILLRACE_INVALID_OPTION for a definition that does not fit; the graph is made, and checked, by `plan`. */
  constructor(definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>) {
    checkDefinition(definition);
    this.name = definition.name;
    this.description = definition.description ?? '';
    this.definition = definition;
  }

  /** The configuration as its schema returns it. Throws MILLRACE_CONFIG with every issue. */
  parseConfig(config: unknown): StandardSchemaV1.InferOutput<Config> {
    const schema = this.definition.config;
    if (schema === undefined) return config;
    const result = schema['~standard'].validate(config);
    if (result instanceof Promise) {
      throw new MillraceError(
        'MILLRACE_CONFIG',
        `The config schema of '${this.name}' is asynchronous: use a synchronous one`,
      );
    }
    if (result.issues === undefined) return result.value;
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `The config of '${this.name}' is wrong: ${describeIssues(result.issues, config)}`,
      {
        cause: result.issues,
      },
    );
  }

  /**
   * Parses the configuration, and builds and checks the graph, once for `run` and for
   * each question that comes before it. Opens nothing. Throws MILLRACE_INVALID_OPTION for options that do not fit, and
   * the errors of `plan`.
   *
   * @example
   * const ready = Hello.prepare();
   * console.log(ready.plan.nodes.length);
   * await ready.run().finished;
   */
  prepare(
    config?: StandardSchemaV1.InferInput<Config>,
    options: PrepareOptions = {},
  ): PreparedWorkflow<Config, Outputs> {
    return new PreparedWorkflow(this.definition, this.parseConfig(config), options);
  }

  /**
   * The checked graph, without running anything. Throws MILLRACE_CONFIG if the configuration does not fit its schema;
   * MILLRACE_INVALID_OPTION for a task or a join that is declared wrongly; MILLRACE_DUPLICATE_TASK,
   * MILLRACE_UNKNOWN_TASK, MILLRACE_UNREACHABLE, MILLRACE_CYCLE, MILLRACE_JOIN and MILLRACE_SOURCE_WITHOUT_OUTPUT for a
   * wrong graph; MILLRACE_FILE if two tasks write one file, or one task writes a file that another reads.
   */
  plan(config?: StandardSchemaV1.InferInput<Config>): WorkflowPlan {
    const { plan, declarations, hops, durability } = this.prepare(config);
    return { plan, declarations, hops, durability };
  }

  /**
   * Checks that a run with this configuration could resume from the checkpoint. Rejects with MILLRACE_RESUME, which
   * lists the changes, or with the errors of `plan`.
   */
  async assertResumable(checkpoint: Checkpoint, config?: StandardSchemaV1.InferInput<Config>): Promise<void> {
    await this.prepare(config).assertResumable(checkpoint);
  }

  /**
   * Returns a test of dead letters of a finished run: true for a letter whose record can be replayed; see
   * `PreparedWorkflow.redoable`. Throws the errors of `plan`: MILLRACE_CONFIG, or the codes of a wrong graph.
   */
  redoable(config?: StandardSchemaV1.InferInput<Config>): (letter: LetterHead) => boolean {
    return this.prepare(config).redoable();
  }

  /**
   * Starts a run, in the next turn of the event loop. Throws the errors of `plan`; MILLRACE_INVALID_OPTION for options
   * that do not fit; MILLRACE_FILE if dead letters or checkpoints would overwrite a file of a task; MILLRACE_RESUME if
   * `resumeFrom` belongs to another definition. Later failures reject `finished`. In a worker thread of millrace, which
   * loads the module for one of its functions, the run never starts and `finished` never settles.
   */
  run(
    ...[config, options = {}]: unknown extends StandardSchemaV1.InferInput<Config>
      ? [config?: StandardSchemaV1.InferInput<Config>, options?: RunOptions]
      : [config: StandardSchemaV1.InferInput<Config>, options?: RunOptions]
  ): Run<Outputs> {
    checkRunOptions(options);
    const { resumeFrom, clock = systemClock } = options;
    return this.prepare(config, { startedAt: resumeFrom?.startedAt ?? clock.now() }).run(options);
  }
}

/**
 * Defines a workflow: its name, its configuration and its graph. Throws MILLRACE_INVALID_OPTION for a
 * definition that does not fit; the graph is made, and checked, by `plan` and `run`.
 *
 * @example
 * const Hello = defineWorkflow({ name: 'Hello', build: (flow) => flow
 *   .task('Names', sourceTask(['Ada', 'Grace']))
 *   .task('Greet', ['Names'], syncTask((name: string) => `Hello, ${name}`)) });
 * const run = Hello.run();
 * run.output$('Greet').subscribe(console.log);
 * await run.finished;
 */
export function defineWorkflow<Outputs, Config extends StandardSchemaV1 = StandardSchemaV1>(
  definition: WorkflowDefinition<Config, Outputs>,
): Workflow<Config, Outputs> {
  return new Workflow<Config, Outputs>(definition);
}
