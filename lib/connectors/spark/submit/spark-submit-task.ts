/**
 * A job of `spark-submit` per record, as a task: for jobs that exist already, in any language.
 *
 * Guarantees: a resumed run reads the rows of a job that has ended well, and waits for a job that still runs; it begins
 * neither of them again. No setting and no variable is on a command line, which every user of the machine can read. A
 * job ends with the process of its run, unless `survivesCrash` is set, and always when its run is cancelled.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  callback,
  checkOptions,
  CONCURRENT_RULES,
  flag,
  holdClock,
  MillraceError,
  RecordTask,
  sleep,
  systemClock,
  text,
  type ConcurrentOptions,
  type OptionRule,
  type OptionRules,
  type RecordContext,
  type RunOutcome,
  type Task,
  type TaskScope,
} from '../../../connect/index.js';
import { ProgressNotice } from '../progress-notice.js';
import { EventLog } from './event-log.js';
import { readJobRows } from './job-rows.js';
import { SubmittedJob } from './submitted-job.js';

/** Options of `sparkSubmitTask`. */
export interface SparkSubmitOptions<In, Out> extends ConcurrentOptions<In, Out> {
  /** The application, a .jar or a .py file: a path or a URL that Spark knows. */
  readonly application: string;
  /** The class with the main function, for a .jar. */
  readonly mainClass?: string;
  /** The arguments of the application for a record. They must not contain secrets. Default: none. */
  readonly args?: (record: In) => readonly string[];
  /** The address of the cluster, such as `spark://host:7077`, or `local[4]`. Default: that of Spark's own settings. */
  readonly master?: string;
  /** Settings of Spark, passed in a file that only this user can read. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Environment variables of the job, such as passwords. They are masked in everything that the run writes. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Makes the output of the rows that the job has written. Default: the record itself. */
  readonly result?: (rows: readonly unknown[], record: In) => Out;
  /** The command. Default `spark-submit`. */
  readonly command?: string;
  /**
   * Whether a job continues when the process of its run dies. A resumed run then waits for this job instead of
   * beginning a second one. Default false: the job ends with the process.
   */
  readonly survivesCrash?: boolean;
  /** The folder for settings, logs and rows of jobs. Default `.millrace/spark-jobs`. */
  readonly folder?: string;
  /** The most jobs at a time. Default 1. */
  readonly concurrency?: number;
}

const namedTexts: OptionRule = {
  expected: 'an object whose values are strings',
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === 'string'),
};

const RULES: OptionRules<SparkSubmitOptions<never, unknown>> = {
  ...CONCURRENT_RULES,
  application: text,
  mainClass: text,
  args: callback,
  master: text,
  settings: namedTexts,
  environment: namedTexts,
  result: callback,
  command: text,
  survivesCrash: flag,
  folder: text,
};

/** In real time, because the job runs in real time. */
const LOOK_EVERY_MS = 250;

/**
 * Submits a job for each record, and waits for its end. The job may write rows as NDJSON; a variable in its environment
 * has the path. The task emits the output of `result` for these rows; without `result` it emits the record. If a job
 * fails, the failure policy ends its record. The driver runs on this machine. Throws MILLRACE_INVALID_OPTION for
 * options that do not fit.
 *
 * @example sparkSubmitTask({ application: 'features.py', master: 'spark://spark:7077', args: (day: string) => [day] })
 */
export function sparkSubmitTask<In, Out = In>(options: SparkSubmitOptions<In, Out>): Task<In, Out> {
  checkOptions('a sparkSubmitTask', options, RULES, ['application']);
  if (options.settings?.['spark.submit.deployMode'] === 'cluster') {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      'Expected `settings` of a sparkSubmitTask without the deploy mode cluster: the driver runs on this machine, where the run can find it',
    );
  }
  return new SparkSubmit(options);
}

class SparkSubmit<In, Out> extends RecordTask<In, Out> {
  override readonly kind = 'spark job';
  private readonly job: SparkSubmitOptions<In, Out>;
  private scope: TaskScope | undefined;
  private readonly executions = new Set<Promise<unknown>>();

  constructor(options: SparkSubmitOptions<In, Out>) {
    super({ ...options, concurrency: options.concurrency ?? 1 });
    this.job = options;
  }

  override open(scope: TaskScope): void {
    const { settings, environment = {} } = this.job;
    this.scope = scope;
    scope.secrets.addConfig(settings);
    for (const value of Object.values(environment)) scope.secrets.addVariable(value);
  }

  override async close(outcome: RunOutcome): Promise<void> {
    const { scope } = this;
    // Waits until jobs that were stopped have ended.
    await Promise.allSettled(this.executions);
    // No later incarnation asks for a job again.
    if (outcome === 'completed' && scope !== undefined) await new SubmittedJob(this.folderOfRun(scope)).remove();
  }

  protected override async process(record: In, context: RecordContext): Promise<Out> {
    const { result } = this.job;
    const scope = this.scope as TaskScope;
    const of = `The job of '${context.task}'`;
    const id = createHash('sha256').update(JSON.stringify(context.id)).digest('hex').slice(0, 16);
    const job = new SubmittedJob(join(this.folderOfRun(scope), id));
    const execution = holdClock(scope.clock, this.execute(job, of, record, context));
    this.executions.add(execution);
    const rows = await execution.finally(() => this.executions.delete(execution));
    return result === undefined ? (record as unknown as Out) : result(rows, record);
  }

  private async execute(
    job: SubmittedJob,
    of: string,
    record: In,
    { signal }: RecordContext,
  ): Promise<readonly unknown[]> {
    const scope = this.scope as TaskScope;
    const past = await job.state();
    if (past === 'running') scope.notice(`${of} still runs, and is waited for: ${job.folder}`);
    else if (typeof past !== 'object' || past.exitCode !== 0) {
      signal.throwIfAborted();
      await job.submit(this.orderOf(record, scope));
    }
    const state = await this.untilEnded(job, of, signal);
    if (typeof state === 'object' && state.exitCode === 0) return readJobRows(job.resultsPath, of);
    const how = typeof state === 'object' ? `ended with the exit code ${state.exitCode}` : 'was killed';
    const missing =
      typeof state === 'object' && state.exitCode === 127
        ? '. Install Spark, or set `command` to its spark-submit'
        : '';
    throw new MillraceError('MILLRACE_TASK', `${of} ${how}: ${await job.reason()}${missing}. Its logs: ${job.folder}`);
  }

  /** Waits for the end of a job, and reports its progress. A job that is no longer needed is stopped. */
  private async untilEnded(job: SubmittedJob, of: string, signal: AbortSignal): ReturnType<SubmittedJob['state']> {
    const scope = this.scope as TaskScope;
    const log = new EventLog(job.eventsPath);
    const progress = new ProgressNotice(of, scope);
    try {
      for (;;) {
        const state = await job.state();
        if (state !== 'running') return state;
        if (signal.aborted) {
          await job.stop(() => sleep(systemClock, LOOK_EVERY_MS, undefined));
          throw signal.reason;
        }
        const isKnown = log.applicationId !== undefined;
        await log.read();
        if (log.applicationId !== undefined && !isKnown) scope.notice(`${of} is the application ${log.applicationId}`);
        progress.report(log.completed, log.total);
        await sleep(systemClock, LOOK_EVERY_MS, signal);
      }
    } finally {
      await log.close();
    }
  }

  private orderOf(record: In, { task, secrets }: TaskScope) {
    const {
      application,
      mainClass,
      args,
      master,
      settings = {},
      environment = {},
      command = 'spark-submit',
    } = this.job;
    const own = args === undefined ? [] : [...args(record)];
    const open = own.findIndex((arg) => typeof arg !== 'string' || secrets.text(arg) !== arg);
    if (open >= 0) {
      throw new MillraceError(
        'MILLRACE_INVALID_INPUT',
        typeof own[open] === 'string'
          ? `Argument ${open + 1} of the job of '${task}' contains a secret, and every user of the machine can read arguments. Pass it in \`environment\``
          : `Expected argument ${open + 1} of the job of '${task}' to be a string`,
      );
    }
    return {
      command,
      args: [
        ...(master === undefined ? [] : ['--master', master]),
        ...(mainClass === undefined ? [] : ['--class', mainClass]),
        ...[application, ...own],
      ],
      settings,
      environment,
      survivesCrash: this.job.survivesCrash ?? false,
    };
  }

  private folderOfRun({ runId, task }: TaskScope): string {
    const { folder = join('.millrace', 'spark-jobs') } = this.job;
    return join(folder, `${runId}-${createHash('sha256').update(task).digest('hex').slice(0, 8)}`);
  }
}
