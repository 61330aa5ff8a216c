/**
 * A workflow with its configuration parsed and its graph built and checked. It answers each question that comes before
 * a run, and starts the run, without building again.
 *
 * Guarantees: `build` and the schema of the configuration are each called once, when the workflow is prepared; nothing
 * is opened before `run`; a prepared workflow starts at most one run, because its tasks belong to that run.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Checkpoint, RunDefinition } from '../../model/checkpoint.js';
import { MillraceError } from '../../model/errors.js';
import { planGraph, type GraphPlan } from '../../model/graph.js';
import type { Durability } from '../../model/state.js';
import { mayNotRun } from '../../execution/thread-function.js';
import type { Awaitable, Clock, DeadLetterStore, LetterHead } from '../../model/ports.js';
import { checkCount, checkOptions, type OptionRules } from '../../options/options.js';
import { graphOf, type TaskDeclaration } from '../../tasks/flow.js';
import { knownOrder, ResumePlan } from '../resume/resume-plan.js';
import { systemClock } from '../../model/clock.js';
import { newRunId, Run } from '../run/run.js';
import { assertDistinctFiles, claimsBy, claimsOf } from './file-claims.js';
import { NO_FUSIONS, planFusions, type Fusions } from './fusion.js';
import { assertSameDefinition, describeDefinition } from './run-definition.js';
import { checkRunOptions, type RunOptions } from './run-options.js';
import { withSubWorkflows } from './sub-workflow.js';
import {
  declarationsOf,
  type BuildContext,
  type ListedDefinition,
  type WorkflowDefinition,
} from './workflow-definition.js';

/** The checked graph of a workflow. */
export interface WorkflowPlan {
  /** The tasks in topological order, with how each joins its inputs. */
  readonly plan: GraphPlan;
  /** The tasks as the workflow declares them. */
  readonly declarations: readonly TaskDeclaration[];
  /** Chains of tasks that are fused into one thread hop, unless a run has `fuse: false`. */
  readonly hops: readonly (readonly string[])[];
  /** The tasks with a boundary, and how each survives the end of the process in a run with checkpoints. */
  readonly durability: readonly TaskDurability[];
}

/** How the boundary of a task survives the end of the process. */
export interface TaskDurability {
  /** The name of the task. */
  readonly task: string;
  /**
   * `kept`: its state is in the checkpoints. `computed`: a resumed run reads its input again. `repeated`: a resumed run
   * repeats it and everything behind it.
   */
  readonly durability: Durability;
}

/** Options of `Workflow.prepare`. */
export interface PrepareOptions {
  /**
   * The time of the first start of the run, in milliseconds since 1970. Default: now. A run that resumes from a
   * checkpoint needs the `startedAt` of that checkpoint.
   */
  readonly startedAt?: number | undefined;
}

const RULES: OptionRules<PrepareOptions> = {
  startedAt: { expected: 'a finite number of milliseconds since 1970', accepts: Number.isFinite },
};

/** The default window. It keeps hundreds of requests in flight, and 2,048 records need little memory. */
const DEFAULT_WINDOW = 2048;

/** A workflow that is ready to run once; `Workflow.prepare` makes it. */
export class PreparedWorkflow<
  Config extends StandardSchemaV1 = StandardSchemaV1,
  Outputs = Record<string, unknown>,
> implements WorkflowPlan {
  /** The name of the workflow. */
  readonly name: string;
  /** The configuration, as its schema returned it. */
  readonly config: StandardSchemaV1.InferOutput<Config>;
  /** The time of the first start of the run, in milliseconds since 1970, as `build` received it. */
  readonly startedAt: number;
  /** The tasks in topological order, with how each joins its inputs. */
  readonly plan: GraphPlan;
  /** The tasks as the workflow declares them. They belong to the one run that this object can start. */
  readonly declarations: readonly TaskDeclaration[];

  private readonly definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>;
  private readonly releases: (() => Awaitable<void>)[] = [];
  /** Notices emitted before the run exists. */
  private readonly earlyNotices: string[] = [];
  private theRun: Run<Outputs> | undefined;
  private ownFusions: Fusions | undefined;
  private ownLetters: { readonly store: DeadLetterStore | undefined } | undefined;

  /** Use `Workflow.prepare`. Throws MILLRACE_INVALID_OPTION, and the codes of a wrong graph; see `Workflow.plan`. */
  constructor(
    definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>,
    config: StandardSchemaV1.InferOutput<Config>,
    options: PrepareOptions = {},
  ) {
    checkOptions('a prepared workflow', options, RULES);
    this.definition = definition;
    this.name = definition.name;
    this.config = config;
    this.startedAt = options.startedAt ?? systemClock.now();
    const context: BuildContext = {
      onClose: (release) => {
        this.releases.push(release);
      },
      notice: (message) => {
        if (this.theRun === undefined) this.earlyNotices.push(message);
        else this.theRun.notice(message);
      },
      startedAt: this.startedAt,
    };
    this.declarations = withSubWorkflows(declarationsOf(definition, config, context), context);
    this.plan = planGraph(graphOf(this.declarations));
    assertDistinctFiles(claimsOf(this.declarations, this.plan.phases));
  }

  /**
   * For each task with a boundary, in the order of the graph, how it survives the end of the process in a run with
   * checkpoints.
   */
  get durability(): readonly TaskDurability[] {
    const { durability } = new ResumePlan(this.plan, this.declarations);
    return this.plan.nodes.flatMap(({ node: { name } }) => {
      const { join, task } = durability.of(name);
      const how = [join, task].filter((found) => found !== undefined);
      return how.length === 0
        ? []
        : [{ task: name, durability: how.includes('kept') ? 'kept' : (how[0] as Durability) }];
    });
  }

  /**
   * The most lineages of each root in flight, unless a run has another `window`. Throws MILLRACE_INVALID_OPTION for a
   * `window` of the definition that is no whole number.
   */
  get window(): number {
    const window = resolveWindow(this.definition.window, this.config) ?? DEFAULT_WINDOW;
    checkCount('window', window);
    return window;
  }

  /** Chains of tasks that are fused into one thread hop, unless a run has `fuse: false`. */
  get hops(): readonly (readonly string[])[] {
    return this.fusions.hops;
  }

  /**
   * The dead letter store of the definition; undefined if the definition has none. Each call returns the same store.
   */
  get deadLetters(): DeadLetterStore | undefined {
    this.ownLetters ??= { store: this.definition.deadLetters?.(this.config) };
    return this.ownLetters.store;
  }

  /**
   * Builds the graph again for another run with the same configuration, which is not parsed again. Throws the errors of
   * `Workflow.plan`, except MILLRACE_CONFIG, and MILLRACE_INVALID_OPTION for options that do not fit.
   */
  rebuild(options: PrepareOptions = {}): PreparedWorkflow<Config, Outputs> {
    return new PreparedWorkflow(this.definition, this.config, options);
  }

  /**
   * Prepares a run of other tasks. `tasks` makes them from the tasks of this workflow, which is built again. The result
   * has the same configuration and window, but no `deadLetters` and no `onEnd`. Throws MILLRACE_INVALID_OPTION, and the
   * errors of `Workflow.plan` for a wrong graph, such as MILLRACE_JOIN.
   */
  derive(
    name: string,
    tasks: (declarations: readonly TaskDeclaration[]) => readonly TaskDeclaration[],
    options: PrepareOptions = {},
  ): PreparedWorkflow {
    const { definition } = this;
    const derived: ListedDefinition<Config> = {
      name,
      tasks: (config, context) => tasks(withSubWorkflows(declarationsOf(definition, config, context), context)),
      ...(definition.window === undefined ? {} : { window: definition.window }),
    };
    return new PreparedWorkflow(derived, this.config, options) as unknown as PreparedWorkflow;
  }

  /**
   * Checks that a run of this workflow could resume from the checkpoint. Rejects with MILLRACE_RESUME, and lists what
   * has changed.
   */
  async assertResumable(checkpoint: Checkpoint): Promise<void> {
    assertSameDefinition(checkpoint, this.describe(checkpoint.state !== undefined));
    const later = new Set(this.plan.phases.slice(1).flatMap(({ parts }) => parts.flatMap(({ tasks }) => tasks)));
    const { ended = {}, inputs: known } = checkpoint;
    // A source that has ended is not read again. A source of a later phase may read a file that the run has yet to
    // write.
    const sources = this.declarations.filter(
      ({ name, task }) =>
        task.bearing === 'source' && !Object.hasOwn(ended, name) && (!later.has(name) || Object.hasOwn(known, name)),
    );
    const inputs = sources.map(async ({ name, task }) => [name, await task.identify()] as const);
    const { assertSameInputs } = await import('../resume/same-inputs.js');
    assertSameInputs(checkpoint, Object.fromEntries(await Promise.all(inputs)));
  }

  /**
   * Returns a test of dead letters of a finished run: true for a letter whose record can be replayed, false if an
   * aggregate or another boundary has already emitted its result without that record. `checkpoint` is the last one of
   * the run; without it, each source counts as one with a single partition.
   */
  redoable(checkpoint?: Checkpoint): (letter: LetterHead) => boolean {
    const hasState = checkpoint === undefined || checkpoint.state !== undefined;
    const known = checkpoint && knownOrder(checkpoint);
    const resumePlan = new ResumePlan(this.plan, this.declarations, hasState, known);
    return ({ task, lineage }) => resumePlan.canRedo(task, lineage.root);
  }

  /**
   * Starts the run, in the next turn of the event loop. Throws MILLRACE_INVALID_OPTION for options that do not fit, for
   * a second call after a run was started, and for a `resumeFrom` whose `startedAt` differs from the one of this
   * object; MILLRACE_FILE if dead letters or checkpoints would overwrite a file of a task; MILLRACE_RESUME if
   * `resumeFrom` belongs to another definition. Later failures reject `finished`. In a worker thread of millrace, which
   * loads the module for one of its functions, the run never starts and `finished` never settles.
   */
  run(options: RunOptions = {}): Run<Outputs> {
    checkRunOptions(options);
    if (this.theRun !== undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected one run of a prepared workflow, got a second one of '${this.name}': its tasks belong to run ${this.theRun.id}. Call \`prepare\` or \`rebuild\` for each run`,
      );
    }
    const { plan, declarations, definition, config } = this;
    const { resumeFrom: from, checkpoints, carrier } = options;
    const hasState = checkpoints?.state !== undefined;
    if (from !== undefined) this.assertSameStart(from);
    const made = checkpoints || from ? this.describe(hasState) : undefined;
    if (from !== undefined) assertSameDefinition(from, made as RunDefinition);
    if (from !== undefined && checkpoints === undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        'Expected `checkpoints` beside `resumeFrom`, got none: a resumed run keeps its progress too',
      );
    }
    const progress = checkpoints && {
      store: checkpoints,
      schedule: options.checkpointEvery ?? {},
      definition: made as RunDefinition,
      plan: new ResumePlan(plan, declarations, hasState, from && knownOrder(from)),
      from,
      redo: options.redo,
    };
    const window = options.window ?? this.window;
    const deadLetters = options.deadLetters ?? this.deadLetters ?? forgettingStore();
    assertDistinctFiles([
      ...claimsOf(declarations, plan.phases),
      ...claimsBy('the dead letters', deadLetters.files?.()),
      ...claimsBy('the checkpoints', checkpoints?.files?.()),
    ]);
    const run = new Run<Outputs>({
      runId: from?.runId ?? options.runId ?? newRunId(),
      workflow: this.name,
      description: definition.description ?? '',
      config,
      plan,
      declarations,
      window,
      startedAt: this.startedAt,
      progress,
      seed: from?.seed ?? options.seed ?? Math.floor(Math.random() * 2 ** 32),
      clock: mayNotRun() ? neverStarting(options.clock ?? systemClock) : (options.clock ?? systemClock),
      threads: options.threads ?? (options.clock === undefined ? 'auto' : 0),
      threadLimits: options.threadLimits ?? {},
      fusions: options.fuse === false ? NO_FUSIONS : this.fusions,
      deadLetters,
      signal: options.signal,
      graceMs: options.graceMs,
      freezesRecords: options.freezeRecords,
      upstream: options.upstream,
      secrets: options.secrets,
      tracer: options.tracer,
      carry: carrier && ((parts, face) => carrier.carry(this, parts, face)),
      release: async () => {
        for (const release of this.releases.reverse()) await release();
      },
      onEnd: definition.onEnd && ((summary) => definition.onEnd?.(summary, config)),
    });
    this.theRun = run;
    for (const message of this.earlyNotices) run.notice(message);
    return run;
  }

  /** The definition of a run, for its checkpoints. */
  private describe(hasState: boolean): RunDefinition {
    const { durability } = new ResumePlan(this.plan, this.declarations, hasState);
    return describeDefinition(this.name, this.plan, this.declarations, this.config, durability);
  }

  private get fusions(): Fusions {
    this.ownFusions ??= planFusions(this.plan, this.declarations);
    return this.ownFusions;
  }

  /** A graph that was built for another start time may differ, for example in the day that it treats as today. */
  private assertSameStart({ runId, startedAt }: Checkpoint): void {
    if (startedAt === this.startedAt) return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`startedAt\` of the prepared workflow to be ${startedAt}, when run ${runId} was first started, got ${this.startedAt}. Prepare it with the \`startedAt\` of the checkpoint`,
    );
  }
}

function resolveWindow<Config>(
  window: number | ((config: Config) => number | undefined) | undefined,
  config: Config,
): number | undefined {
  return typeof window === 'function' ? window(config) : window;
}

/** The clock of a run in a worker thread that only loads the module of its function: the run never starts. */
function neverStarting(clock: Clock): Clock {
  return Object.create(clock, { defer: { value: () => undefined } }) as Clock;
}

/** The dead-letter store of a run without one: dead letters are events and counts, and are not stored. */
function forgettingStore(): DeadLetterStore {
  return {
    write: () => undefined,
    isFull: false,
    whenReady: () => undefined,
    whenBroken: () => undefined,
    close: () => Promise.resolve(),
  };
}
