/**
 * The definition of a workflow, as users write it, and its validation.
 *
 * Guarantees: a definition is checked when it is created, and a graph when it is built; each mistake has the code
 * MILLRACE_INVALID_OPTION and names the workflow.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MillraceError, describeValue } from '../../model/errors.js';
import {
  callback,
  checkObject,
  checkOptions,
  anObject,
  count,
  either,
  moduleUrl,
  names,
  number,
  oneOf,
  standardSchema,
  text,
  words,
  type OptionRule,
  type OptionRules,
} from '../../options/options.js';
import type { Awaitable, DeadLetterStore } from '../../model/ports.js';
import type { RunSummary } from '../../model/run-summary.js';
import type { CronSchedule, IntervalSchedule, OneTimeSchedule, Schedule } from '../../model/schedule.js';
import type { ServingRules } from '../../model/serving.js';
import type { FileTrigger, Trigger, WebhookTrigger, WorkflowTrigger } from '../../model/trigger.js';
import { parseDuration, parseSize } from '../../text/quantities.js';
import { declare, emptyFlow, type Flow, type TaskDeclaration } from '../../tasks/flow.js';

/** The functions and facts that a definition may use while it builds the graph of one run. */
export interface BuildContext {
  /** Calls `release` at the end of the run, on every path, after the tasks were closed. */
  onClose(release: () => Awaitable<void>): void;
  /** Emits a notice to the user of the run: one sentence, for example about a server that was started for the run. */
  notice(message: string): void;
  /** The time of the first start of the run, in milliseconds since 1970: the same in each incarnation of a run. */
  readonly startedAt: number;
}

interface DefinitionHead<Config extends StandardSchemaV1> {
  /** Not empty, or MILLRACE_INVALID_OPTION; a run is resumed only under the same name. */
  readonly name: string;
  /** One line for people. Default ''. */
  readonly description?: string;
  /** Any Standard Schema. A configuration that does not fit is refused before anything starts. */
  readonly config?: Config;
  /** A JSON file with the configuration. The command line uses it if no other is given. */
  readonly defaultConfig?: URL | string;
  /** The most records of one root in flight. Default 2,048. */
  readonly window?: number | ((config: StandardSchemaV1.InferOutput<Config>) => number | undefined);
  /** Makes the store of dead letters. Default: dead letters appear only in events and counts. */
  readonly deadLetters?: (config: StandardSchemaV1.InferOutput<Config>) => DeadLetterStore;
  /** Called with the summary of each run before `finished` settles, for example to write it to a file. */
  readonly onEnd?: (summary: RunSummary, config: StandardSchemaV1.InferOutput<Config>) => Awaitable<void>;
  /** The schedules of `millrace serve`, by name: letters, digits, `.`, `_` and `-`. Default: none. */
  readonly schedules?: Readonly<Record<string, Schedule>>;
  /** The events at which `millrace serve` starts runs, by name, as for `schedules`. Default: none. */
  readonly triggers?: Readonly<Record<string, Trigger>>;
  /** The limits, the priority and the alerts of its runs under `millrace serve`. */
  readonly serving?: ServingRules;
  /**
   * The keys of the configuration that users of `millrace serve` may set for a run. Do not include keys of paths or
   * addresses, because these users are not trusted with files. Default: none.
   */
  readonly params?: readonly string[];
}

/** The argument of `defineWorkflow`: a name, a schema for the configuration, and the graph. */
export interface WorkflowDefinition<Config extends StandardSchemaV1, Outputs> extends DefinitionHead<Config> {
  /**
   * Declares the tasks. Called once for each run and each `plan`, so it must not open anything, and must return new
   * tasks each time.
   */
  readonly build: (
    flow: Flow<object>,
    config: StandardSchemaV1.InferOutput<Config>,
    context: BuildContext,
  ) => Flow<Outputs>;
}

/** A definition whose graph is built from a list: the compiler does not know the task names. */
export interface ListedDefinition<Config extends StandardSchemaV1> extends DefinitionHead<Config> {
  /** The declarations, with dependencies by name. Called once for each run and each `plan`. */
  readonly tasks: (config: StandardSchemaV1.InferOutput<Config>, context: BuildContext) => readonly TaskDeclaration[];
}

const HEAD_RULES: OptionRules<DefinitionHead<StandardSchemaV1>> = {
  name: text,
  description: words,
  config: standardSchema,
  defaultConfig: moduleUrl,
  window: either(count(), callback),
  deadLetters: callback,
  onEnd: callback,
  schedules: anObject,
  triggers: anObject,
  serving: anObject,
  params: names,
};
/** The names of schedules and pools. */
const SERVER_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
const duration: OptionRule = {
  expected: "a length of time such as '30s', '15m', '6h' or '1d'",
  accepts: (value) => typeof value === 'string' && (parseDuration(value) ?? 0) > 0,
};
const SERVING_RULES: OptionRules<ServingRules> = {
  maxRuns: count(),
  pools: {
    expected: "an array of names of letters, digits, '.', '_' and '-'",
    accepts: (value) =>
      Array.isArray(value) && value.every((name) => typeof name === 'string' && SERVER_NAME.test(name)),
  },
  priority: number(-1000, 1000),
  maxTime: duration,
  maxMemory: {
    expected: "an amount of memory from 128 MB on, such as '512MB' or '2GB'",
    accepts: (value) => typeof value === 'string' && (parseSize(value) ?? 0) >= 128 * 2 ** 20,
  },
  alertAfter: duration,
  alertDeadLetters: count(0),
};
const SCHEDULE_RULES: OptionRules<CronSchedule & IntervalSchedule & OneTimeSchedule> = {
  cron: text,
  zone: text,
  every: text,
  anchor: text,
  at: text,
  overlap: oneOf('skip', 'queue', 'allow'),
  catchUp: oneOf('last', 'none', 'all'),
  jitter: duration,
  settings: anObject,
};
const TRIGGER_RULES: OptionRules<WebhookTrigger & FileTrigger & WorkflowTrigger> = {
  webhook: {
    expected: 'the name of an environment variable',
    accepts: (value) => typeof value === 'string' && /^[A-Za-z_]\w{0,99}$/.test(value),
  },
  fromBody: {
    expected: "an object of JSON Pointers, such as { customer: '/order/customer' }",
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((pointer) => typeof pointer === 'string' && /^(\/([^~]|~[01])*)?$/.test(pointer)),
  },
  files: {
    expected: "a path whose last part only has * or ?, such as 'incoming/*.csv'",
    accepts: (value) => typeof value === 'string' && /^([^*?]*\/)?[^/]+$/.test(value),
  },
  after: text,
  when: oneOf('completed', 'failed', 'ended'),
  settings: anObject,
};
const RULES: OptionRules<WorkflowDefinition<StandardSchemaV1, unknown> & ListedDefinition<StandardSchemaV1>> = {
  ...HEAD_RULES,
  build: callback,
  tasks: callback,
};

/** Checks a definition that may come from JavaScript. */
export function checkDefinition(definition: object): void {
  checkObject('the definition of a workflow', definition);
  const { name, serving = {} } = definition as { readonly name?: unknown; readonly serving?: object };
  checkOptions(typeof name === 'string' ? `workflow '${name}'` : 'a workflow', definition, RULES, ['name']);
  checkOptions(`\`serving\` of workflow '${String(name)}'`, serving, SERVING_RULES);
  checkSchedules(String(name), (definition as { readonly schedules?: object }).schedules ?? {});
  checkTriggers(String(name), definition);
  const given = ['build', 'tasks'].filter((way) => way in definition);
  if (given.length === 1) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected workflow '${String(name)}' to have either \`build\` or \`tasks\`, got ${given.length === 0 ? 'none' : 'both'}`,
  );
}

/** Checks the shape of the schedules. The server checks that a pattern is valid and that a zone exists. */
function checkSchedules(workflow: string, schedules: object): void {
  for (const [name, schedule] of Object.entries(schedules) as [string, unknown][]) {
    const what = `schedule '${name}' of workflow '${workflow}'`;
    const kind = kindIn(what, name, schedule, ['cron', 'every', 'at'], { zone: 'cron', anchor: 'every' });
    checkOptions(what, schedule as object, SCHEDULE_RULES, kind === 'cron' ? ['cron', 'zone'] : [kind]);
  }
}

/** Checks the triggers. The server checks that a variable is set and that another workflow exists. */
function checkTriggers(
  workflow: string,
  { triggers = {}, params = [] }: { readonly triggers?: object; readonly params?: readonly string[] },
): void {
  for (const [name, trigger] of Object.entries(triggers) as [string, unknown][]) {
    const what = `trigger '${name}' of workflow '${workflow}'`;
    const kind = kindIn(what, name, trigger, ['webhook', 'files', 'after'], { fromBody: 'webhook', when: 'after' });
    checkOptions(what, trigger as object, TRIGGER_RULES, [kind]);
    const { fromBody = {} } = trigger as Partial<WebhookTrigger>;
    const foreign = Object.keys(fromBody).find((key) => !params.includes(key));
    if (foreign === undefined) continue;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected each key of \`fromBody\` of ${what} to be one of \`params\`, because senders choose its value, got '${foreign}'`,
    );
  }
}

/**
 * The only one of `kinds` that the value has. Throws for none, for several, and for an option that belongs to another
 * kind.
 */
function kindIn(
  what: string,
  name: string,
  value: unknown,
  kinds: readonly string[],
  belongs: Readonly<Record<string, string>>,
): string {
  if (!SERVER_NAME.test(name)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected the name of ${what} to have at most 64 letters, digits, '.', '_' and '-', and to start with a letter or digit`,
    );
  }
  checkObject(what, value);
  const given = kinds.filter((kind) => kind in value);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    const list = kinds.map((one) => `\`${one}\``);
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected ${what} to have one of ${list.slice(0, -1).join(', ')} and ${list.at(-1) ?? ''}, got ${kind === undefined ? 'none' : given.join(' and ')}`,
    );
  }
  const foreign = Object.keys(belongs).find((key) => key in value && belongs[key] !== kind);
  if (foreign === undefined) return kind;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `\`${foreign}\` has no effect in ${what}, which has \`${kind}\`. Remove it`,
  );
}

/** The declarations of one run. */
export function declarationsOf<Config extends StandardSchemaV1, Outputs>(
  definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>,
  config: StandardSchemaV1.InferOutput<Config>,
  context: BuildContext,
): readonly TaskDeclaration[] {
  const { name } = definition;
  if ('build' in definition) {
    const flow: unknown = definition.build(emptyFlow(), config, context);
    const declarations = (flow as Partial<Flow<Outputs>> | null | undefined)?.declarations;
    return listOf(declarations, `\`build\` of '${name}' to return the flow, as \`(flow) => flow.task(…)\` does`, flow);
  }
  const tasks: unknown = definition.tasks(config, context);
  return listOf(tasks as TaskDeclaration[] | undefined, `\`tasks\` of '${name}' to return an array`, tasks).map(
    declare,
  );
}

function listOf<T>(list: readonly T[] | undefined, expected: string, got: unknown): readonly T[] {
  if (Array.isArray(list)) return list as readonly T[];
  const what =
    got instanceof Promise ? 'a Promise: a graph is built at once, and a task opens what it needs' : describeValue(got);
  throw new MillraceError('MILLRACE_INVALID_OPTION', `Expected ${expected}, got ${what}`);
}
