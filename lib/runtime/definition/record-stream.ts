/**
 * Tasks composed as Observables, without a named workflow. A `RecordStream` is a cold Observable of records that knows
 * its tasks. A subscription starts a run of exactly those tasks.
 *
 * Guarantees: combined streams are paired by lineage, independent of the delays of the branches; a stream used by two
 * branches runs once; backpressure, failure policies and the laws are those of any run; unsubscribing cancels the run;
 * `complete` comes after everything is released.
 */
import { Observable, type Subscriber } from 'rxjs';
import { MillraceError, describeValue } from '../../model/errors.js';
import type { JoinOptions, TaskDeclaration } from '../../tasks/flow.js';
import type { SourceTask } from '../../tasks/source-task.js';
import { syncTask } from '../../tasks/sync-task.js';
import { isTask, type Task } from '../../tasks/task.js';
import type { Run } from '../run/run.js';
import type { RunOptions } from './run-options.js';
import { Workflow } from './workflow.js';

/** One task of a composition, and its dependencies. */
interface Link {
  readonly task: Task<never, unknown>;
  readonly from: readonly Link[];
  readonly join?: JoinOptions | undefined;
  readonly name?: string | undefined;
}

/**
 * The records of a composition of tasks, as an Observable without a named workflow. Each subscription starts a separate
 * run, and unsubscribing cancels that run.
 */
export class RecordStream<T> extends Observable<T> {
  private readonly link: Link;

  /** Use `stream` and `combine` instead. */
  constructor(link: unknown) {
    super((subscriber) => this.follow(subscriber));
    this.link = link as Link;
  }

  /**
   * The outputs of `task` for these records. `name` shows in events, errors and dead letters. Throws
   * MILLRACE_INVALID_OPTION if `task` is not a task.
   */
  through<Out>(task: Task<T, Out>, name?: string): RecordStream<Out> {
    checkTask(task, '`through`');
    return new RecordStream<Out>({ task, from: [this.link], name } satisfies Link);
  }

  /**
   * Starts a run of the tasks of this stream, and returns it with its events and summary. Throws
   * MILLRACE_INVALID_OPTION for options that do not fit, and the errors of `Workflow.plan` for tasks that cannot form a
   * graph, such as MILLRACE_JOIN.
   */
  run(options?: RunOptions): Run {
    return this.start(options).run;
  }

  /** For `combine`: the task behind this stream. */
  static linkOf(stream: RecordStream<unknown>): unknown {
    return stream.link;
  }

  private start(options: RunOptions = {}): { run: Run; last: string } {
    // Without a dependent, no task would read the records of a source.
    const last: Link = this.link.from.length > 0 ? this.link : { task: identity(), from: [this.link] };
    const names = nameLinks(last);
    const declarations: TaskDeclaration[] = [...names].map(([link, name]) => ({
      name,
      dependencies: link.from.map((dependency) => names.get(dependency) as string),
      join: link.join,
      task: link.task,
    }));
    const workflow = new Workflow({ name: 'stream', tasks: () => declarations });
    return { run: workflow.run(undefined, options), last: names.get(last) as string };
  }

  private follow(subscriber: Subscriber<T>): () => void {
    const { run, last } = this.start();
    const subscription = run.output$(last).subscribe((record) => {
      subscriber.next(record as T);
    });
    run.finished.then(
      () => {
        subscriber.complete();
      },
      (error: unknown) => {
        subscriber.error(error);
      },
    );
    return () => {
      subscription.unsubscribe();
      run.cancel();
    };
  }
}

/** The records of a source, as the start of a composition. Throws MILLRACE_INVALID_OPTION if `source` is not a task. */
export function stream<Out>(source: SourceTask<Out>, name?: string): RecordStream<Out> {
  checkTask(source, '`stream`');
  return new RecordStream<Out>({ task: source, from: [], name } satisfies Link);
}

/**
 * Tuples of the records of several streams: aligned by lineage where they descend from one source (default), or the
 * newest record of each stream with `{ join: 'latest' }`. Throws MILLRACE_INVALID_OPTION for anything but an array of
 * at least one stream.
 *
 * @example combine([ats$, resp$]).through(syncTask(([ats, resp]) => ats.score + resp.score))
 */
export function combine<const Streams extends readonly RecordStream<unknown>[]>(
  streams: Streams,
  how: { readonly join: 'aligned' | 'latest' } = { join: 'aligned' },
): RecordStream<{ -readonly [Index in keyof Streams]: Streams[Index] extends RecordStream<infer T> ? T : never }> {
  const wrong: unknown = Array.isArray(streams)
    ? streams.find((one) => !((one as unknown) instanceof RecordStream))
    : streams;
  if (wrong !== undefined || streams.length === 0) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`combine\` to get an array of what \`stream(…)\` made, got ${describeValue(wrong ?? streams)}`,
    );
  }
  const from = streams.map((one) => RecordStream.linkOf(one) as Link);
  return new RecordStream({ task: identity(), from, join: how } satisfies Link);
}

function checkTask(task: unknown, taker: string): void {
  if (isTask(task)) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected ${taker} to get a task (sourceTask(…), syncTask(…), …), got ${describeValue(task)}`,
  );
}

function identity(): Task<never, unknown> {
  return syncTask<unknown, unknown>((record) => record);
}

/** Each link once, dependencies first, each under a unique name. */
function nameLinks(last: Link): Map<Link, string> {
  const names = new Map<Link, string>();
  const used = new Set<string>();
  const visit = (link: Link): void => {
    if (names.has(link)) return;
    for (const dependency of link.from) visit(dependency);
    const wanted = link.name ?? link.task.kind;
    let name = wanted;
    for (let n = 2; used.has(name); n++) name = `${wanted} ${n}`;
    used.add(name);
    names.set(link, name);
  };
  visit(last);
  return names;
}
