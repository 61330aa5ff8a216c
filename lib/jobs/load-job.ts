/**
 * A job: the requested workflow and configuration, loaded and ready to run.
 *
 * Guarantees: the configuration is read and parsed once and the graph is built once; nothing is opened or written.
 */
import { isAbsolute } from 'node:path';
import type { Checkpoint } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import type { DeadLetterStore } from '../model/ports.js';
import type { PreparedWorkflow, PrepareOptions } from '../runtime/definition/prepared-workflow.js';
import { checkTasks } from '../runtime/definition/check-tasks.js';
import { assertDistinctFiles, claimsBy, claimsOf, type FileClaim } from '../runtime/definition/file-claims.js';
import { deadLetterFile } from '../storage/dead-letter-file.js';
import { touchedFile } from '../storage/touched-file.js';
import { Secrets } from '../text/secrets.js';
import { keyOf } from './config/setting-key.js';
import { configFileOf, loadConfig } from './config/load-config.js';
import { absolutePath, pathFrom, type JobPlace } from './place.js';
import { describeWithPlace } from './workflows/import-module.js';
import { loadWorkflow, workflowFilesOf, type LoadableWorkflow } from './workflows/load-workflow.js';

/** The request for a job. It is plain data: a run keeps it, so that the same job can be loaded again. */
export interface JobRequest {
  /** A registered name, a path, or a path and `#Name`. */
  readonly workflow: string;
  /** The path of the configuration; null for the default configuration of the workflow. */
  readonly config: string | null;
  /** Each `key=value` that overrides the configuration, in order. */
  readonly settings: readonly string[];
  /** The file for dead letters; null for the place that the workflow names, or the folder of the run. */
  readonly deadLetters: string | null;
  /** The brokers, or the file that describes them, of a run that Kafka carries; absent for any other run. */
  readonly kafka?: string;
  /** The partitions of the topics of such a run that divide records by a key; absent for the default. */
  readonly partitions?: number;
}

export interface LoadedJob {
  readonly request: JobRequest;
  readonly workflow: LoadableWorkflow;
  /** The workflow with its configuration, ready for one run. */
  readonly prepared: PreparedWorkflow;
  /** The values to mask in all output of the run. */
  readonly secrets: Secrets;
}

/**
 * Loads the workflow and its configuration. Throws MILLRACE_UNKNOWN_WORKFLOW, MILLRACE_CONFIG, MILLRACE_USAGE for wrong
 * settings, and the errors of `Workflow.plan` for a wrong graph.
 */
export async function loadJob(request: JobRequest, place: JobPlace, options: PrepareOptions = {}): Promise<LoadedJob> {
  return prepareJob(await loadWorkflow(request.workflow, place), request, place, options);
}

/** Like `loadJob`, for a workflow that is already loaded. */
export async function prepareJob(
  workflow: LoadableWorkflow,
  request: JobRequest,
  place: JobPlace,
  options: PrepareOptions,
): Promise<LoadedJob> {
  const { config: path, settings } = request;
  const { secrets = new Secrets() } = place;
  assertHasConfig(workflow, request);
  const prepared = await loadConfig(workflow, { path, settings, secrets }, place, (config) => {
    try {
      return workflow.prepare(config, options);
    } catch (error) {
      throw explainBuildError(error, workflow.name, place);
    }
  });
  return { request, workflow, prepared, secrets };
}

/** Adds the workflow and the place to an error that the code of the definition threw. */
function explainBuildError(error: unknown, workflow: string, { folder }: JobPlace): unknown {
  // The workflow may come from another copy of this package, with a separate error class.
  if (error instanceof Error && error.name === 'MillraceError') return error;
  return new MillraceError(
    'MILLRACE_TASK',
    `The graph of '${workflow}' cannot be built: ${describeWithPlace(error, folder)}`,
    { cause: error },
  );
}

/** Matches the text of a function with at most one parameter. */
const ONE_PARAMETER = /^(?:async\s+)?(?:function\s*)?[\w$]*\s*(?:\(\s*[\w$]*\s*,?\s*\)\s*(?:=>|\{)|=>)/;

/**
 * Throws MILLRACE_USAGE for settings that the workflow cannot receive: it has no schema, and `build` no parameter for
 * it.
 */
function assertHasConfig({ name, definition }: LoadableWorkflow, { settings }: JobRequest): void {
  if (definition.config !== undefined || settings.length === 0 || !('build' in definition)) return;
  const text = String(definition.build);
  if (!ONE_PARAMETER.test(text) || /\barguments\b/.test(text)) return;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `The setting '${keyOf(settings[0] ?? '')}' has no effect: workflow '${name}' has no configuration. Remove it, or give \`build\` a second parameter: build: (flow, config) => …`,
  );
}

/** The dead letter store of the request or the workflow; undefined if neither names one. */
export function lettersOf({ request, prepared }: LoadedJob, place: JobPlace): DeadLetterStore | undefined {
  const { deadLetters } = request;
  return deadLetters === null ? prepared.deadLetters : deadLetterFile(pathFrom(place, deadLetters));
}

/** A file that is written beside a run, and the option that names it, for messages. */
export interface NamedOutput {
  readonly by: string;
  readonly path: string | null | undefined;
}

/**
 * Throws MILLRACE_FILE if one of the outputs is a file that the workflow reads or writes, or is another output, or if
 * the run would write over its own configuration or workflow file.
 */
export function assertFilesApart(job: LoadedJob, outputs: readonly NamedOutput[], place: JobPlace): void {
  assertDistinctFiles([
    ...claimsOf(job.prepared.declarations, job.prepared.plan.phases),
    ...outputs.flatMap(({ by, path }) =>
      path === null || path === undefined ? [] : claimsBy(by, [touchedFile(absolutePath(place, path), 'write')]),
    ),
    ...definitionsOf(job, place),
  ]);
}

/** The files that define the run: its configuration and its workflow files. */
function definitionsOf({ request, workflow }: LoadedJob, place: JobPlace): FileClaim[] {
  const config = configFileOf(workflow, request.config, place);
  return [
    ...(config === undefined
      ? []
      : claimsBy(request.config === null ? 'the default config' : 'the config', [touchedFile(config, 'read')])),
    ...workflowFilesOf(request.workflow, place).flatMap((path) =>
      claimsBy('the import of the workflow', [touchedFile(path, 'read')]),
    ),
  ];
}

/**
 * The absolute paths of the files that a run depends on: its configuration and its inputs on the disk. They need not
 * exist.
 */
export function filesReadBy({ request, workflow, prepared }: LoadedJob, place: JobPlace): readonly string[] {
  const config = configFileOf(workflow, request.config, place);
  const inputs = prepared.declarations.flatMap(({ task }) => task.files()).filter(({ use }) => use === 'read');
  // The path of a file in a store is a URL.
  const onDisk = inputs.map(({ path }) => path).filter((path) => isAbsolute(path));
  return [...(config === undefined ? [] : [config]), ...onDisk];
}

/** The files that a completed run has written, each by the path that was given. */
export function filesWrittenBy({ prepared }: LoadedJob): readonly string[] {
  return prepared.declarations
    .flatMap(({ task }) => task.files())
    .filter(({ use, onTheWayTo }) => use === 'write' && onTheWayTo === undefined)
    .map(({ path, given }) => given ?? path);
}

/**
 * Throws MILLRACE_FILE if a result of the job cannot be written, and the other errors of `check` of a task, such as
 * MILLRACE_RESUME if a result has changed since the checkpoint. Nothing is opened or written. Tasks that run after
 * other tasks are not checked in advance, because the other tasks may make their folders.
 */
export async function assertCanOpen({ prepared: { declarations, plan } }: LoadedJob, from?: Checkpoint): Promise<void> {
  const first = new Set(plan.phases[0]?.parts.flatMap(({ tasks }) => tasks));
  // The results of an earlier phase that has ended are in their places.
  const ended = from?.ended ?? {};
  const checked = declarations.filter(({ name }) => first.has(name) && !Object.hasOwn(ended, name));
  await checkTasks(checked, from?.positions);
}
