/**
 * A workflow: the definition that runs are made of. Promise: making one opens nothing; `plan` and `run` check the
 * configuration and the graph first and throw one error that names what is wrong.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MillraceError } from '../../model/errors.js';
import { planGraph, type GraphPlan } from '../../model/graph.js';
import { describeIssues } from '../../options/schema.js';
import type { Checkpoint } from '../../model/checkpoint.js';
import { checkCount } from '../../options/options.js';
import type { Awaitable, LetterHead } from '../../model/ports.js';
import { graphOf, type TaskDeclaration } from '../../tasks/flow.js';
import { systemClock } from '../run/clock.js';
import { assertSameDefinition, assertSameInputs, describeDefinition } from './run-definition.js';
import { assertDistinctFiles, claimsBy, claimsOf } from './file-claims.js';
import { forgettingStore } from '../resume/forgetting-store.js';
import { NO_FUSIONS, planFusions } from './fusion.js';
import { ResumePlan } from '../resume/resume-plan.js';
import { redoing } from '../resume/run-past.js';
import { checkRunOptions, type RunOptions } from './run-options.js';
import { Run } from '../run/run.js';
import {
  checkDefinition,
  declarationsOf,
  type BuildContext,
  type ListedDefinition,
  type WorkflowDefinition,
} from './workflow-definition.js';

/** The checked graph of a workflow. */
export interface WorkflowPlan {
  readonly plan: GraphPlan;
  readonly declarations: readonly TaskDeclaration[];
  /** Chains of tasks that are fused into one thread hop, unless a run says `fuse: false`. */
  readonly hops: readonly (readonly string[])[];
}

/** What the command line calls and a user calls; see `defineWorkflow`. */
export class Workflow<Config extends StandardSchemaV1 = StandardSchemaV1, Outputs = Record<string, unknown>> {
  /** What the command line calls it by; never empty. */
  readonly name: string;
  /** One line for people; '' where the definition has none. */
  readonly description: string;
  /** As given to `defineWorkflow`. */
  readonly definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>;

  /** Throws MILLRACE_INVALID_OPTION for a definition that does not fit; the graph is made, and checked, by `plan`. */
  constructor(definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>) {
    checkDefinition(definition);
    this.name = definition.name;
    this.description = definition.description ?? '';
    this.definition = definition;
  }

  /** The configuration as its schema gives it back. Throws MILLRACE_CONFIG with every issue. */
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
   * The checked graph, without running anything. Throws MILLRACE_CONFIG where the configuration does not fit its schema;
   * MILLRACE_INVALID_OPTION for a task or a join that is declared wrongly; MILLRACE_DUPLICATE_TASK, MILLRACE_UNKNOWN_TASK,
   * MILLRACE_UNREACHABLE, MILLRACE_CYCLE, MILLRACE_JOIN and MILLRACE_SOURCE_WITHOUT_OUTPUT for a wrong graph; MILLRACE_FILE
   * where two tasks write one file, or one writes what another reads.
   */
  plan(config?: StandardSchemaV1.InferInput<Config>): WorkflowPlan {
    const { plan, declarations } = this.assemble(this.parseConfig(config), {
      onClose: () => undefined,
      notice: () => undefined,
      startedAt: systemClock.now(),
    });
    return { plan, declarations, hops: planFusions(plan, declarations).hops };
  }

  /**
   * Whether a run with this configuration could go on from the checkpoint: rejects with MILLRACE_RESUME, and says what
   * has changed, or with what `plan` throws.
   */
  async assertResumable(checkpoint: Checkpoint, config?: StandardSchemaV1.InferInput<Config>): Promise<void> {
    const { plan, declarations } = this.plan(config);
    assertSameDefinition(checkpoint, describeDefinition(this.name, plan, declarations, this.parseConfig(config)));
    const sources = declarations.filter(({ task }) => task.bearing === 'source');
    const inputs = sources.map(async ({ name, task }) => [name, await task.identify()] as const);
    assertSameInputs(checkpoint, Object.fromEntries(await Promise.all(inputs)));
  }

  /**
   * Tells which dead letters of a finished run can be done again: those whose record no aggregate or other boundary has
   * left out meanwhile. Throws what `plan` throws: MILLRACE_CONFIG, or the code of what is wrong with the graph.
   */
  redoable(config?: StandardSchemaV1.InferInput<Config>): (letter: LetterHead) => boolean {
    const { plan, declarations } = this.plan(config);
    const resumePlan = new ResumePlan(plan, declarations);
    return ({ task, lineage }) => resumePlan.canRedo(task, lineage.root);
  }

  /**
   * Starts a run, in the next turn of the event loop. Throws what `plan` throws; MILLRACE_INVALID_OPTION for options that
   * do not fit; MILLRACE_FILE where dead letters or checkpoints would be written over a file of a task; MILLRACE_RESUME
   * where `resumeFrom` is of another definition. What goes wrong later is told by `finished`.
   */
  run(
    ...[config, options = {}]: unknown extends StandardSchemaV1.InferInput<Config>
      ? [config?: StandardSchemaV1.InferInput<Config>, options?: RunOptions]
      : [config: StandardSchemaV1.InferInput<Config>, options?: RunOptions]
  ): Run<Outputs> {
    checkRunOptions(options);
    const parsed = this.parseConfig(config);
    const releases: (() => Awaitable<void>)[] = [];
    const clock = options.clock ?? systemClock;
    const { resumeFrom: from, checkpoints } = options;
    const startedAt = from?.startedAt ?? clock.now();
    const { plan, declarations } = this.assemble(parsed, {
      onClose: (release) => {
        releases.push(release);
      },
      notice: (message) => {
        run.notice(message);
      },
      startedAt,
    });
    const made = describeDefinition(this.name, plan, declarations, parsed);
    if (from !== undefined) assertSameDefinition(from, made);
    if (from !== undefined && checkpoints === undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        'Expected `checkpoints` beside `resumeFrom`, got none: a run that goes on keeps its progress too',
      );
    }
    const resumePlan = new ResumePlan(plan, declarations);
    const progress = checkpoints && {
      store: checkpoints,
      schedule: options.checkpointEvery ?? {},
      definition: made,
      plan: resumePlan,
      from: from && options.redo ? redoing(from, options.redo, resumePlan) : from,
    };
    const { definition } = this;
    const window = options.window ?? resolveWindow(definition.window, parsed) ?? DEFAULT_WINDOW;
    if (window !== options.window) checkCount('window', window);
    const deadLetters = options.deadLetters ?? definition.deadLetters?.(parsed) ?? forgettingStore();
    assertDistinctFiles([
      ...claimsOf(declarations),
      ...claimsBy('the dead letters', deadLetters.files?.()),
      ...claimsBy('the checkpoints', checkpoints?.files?.()),
    ]);
    const run: Run<Outputs> = new Run<Outputs>({
      runId: from?.runId ?? options.runId ?? newRunId(),
      workflow: this.name,
      description: this.description,
      config: parsed,
      plan,
      declarations,
      window,
      startedAt,
      progress,
      seed: from?.seed ?? options.seed ?? Math.floor(Math.random() * 2 ** 32),
      clock,
      threads: options.threads ?? (options.clock === undefined ? 'auto' : 0),
      threadLimits: options.threadLimits ?? {},
      fusions: options.fuse === false ? NO_FUSIONS : planFusions(plan, declarations),
      deadLetters,
      signal: options.signal,
      upstream: options.upstream,
      tracer: options.tracer,
      release: async () => {
        for (const release of releases.reverse()) await release();
      },
      onEnd: (summary) => definition.onEnd?.(summary, parsed),
    });
    return run;
  }

  private assemble(
    config: StandardSchemaV1.InferOutput<Config>,
    context: BuildContext,
  ): { plan: GraphPlan; declarations: readonly TaskDeclaration[] } {
    const declarations = declarationsOf(this.definition, config, context);
    const plan = planGraph(graphOf(declarations));
    assertDistinctFiles(claimsOf(declarations));
    return { plan, declarations };
  }
}

/** Enough to keep hundreds of requests in flight, small enough that 2,048 records are no memory to speak of. */
const DEFAULT_WINDOW = 2048;

/**
 * Defines a workflow: its name, its configuration, and how its graph is built. Throws MILLRACE_INVALID_OPTION for a
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

function resolveWindow<Config>(
  window: number | ((config: Config) => number | undefined) | undefined,
  config: Config,
): number | undefined {
  return typeof window === 'function' ? window(config) : window;
}

/** Sorts by time, is unique without coordination, and is a valid file name. */
export function newRunId(): string {
  const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  return `${stamp}-${globalThis.crypto.randomUUID().slice(0, 8)}`;
}
