/**
 * Sources: where lineages are born. They are pulled (iterables, async iterables, Readables) or push (Observables, into a
 * bounded buffer with a named overflow policy). Promise: a pulled source is never read further than the window allows.
 */
import { isObservable, type Observable, type OperatorFunction, type Subscription } from 'rxjs';
import { MillraceError, describeValue } from '../model/errors.js';
import { checkOptions, checkValues, count, flag, oneOf, type OptionRules } from '../options/options.js';
import type { Awaitable, TaskContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Json } from '../model/checkpoint.js';
import type { Batch, Lineage, Rejected, Skip } from '../model/record.js';
import type { OverflowPolicy } from '../stream/outbox.js';
import { isPromiseLike } from '../model/awaitable.js';
import type { Pullable, Reader } from '../stream/reader.js';
import { checkOutput } from './record-step.js';
import { BaseTask, type Operators } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

/** What a source may read from. */
export type SourceOf<Out> = Pullable<Out> | Observable<Out>;

/** Options of `sourceTask` and of a source of your own. */
export interface SourceOptions<Out> extends TaskOptions<never, Out> {
  /** Observables only: the most records waiting for credits. Default 16,384. */
  readonly buffer?: number;
  /** Observables only: what happens to a record that finds the buffer full. Default 'error'. */
  readonly overflow?: OverflowPolicy;
  /**
   * Whether it gives the same records in the same order each time it is read, so that a resumed run can read it again.
   * Default: true, but false for an Observable.
   */
  readonly replayable?: boolean;
}

/** The rules of `SourceOptions`. */
export const SOURCE_RULES: OptionRules<SourceOptions<unknown>> = {
  ...TASK_RULES,
  buffer: count(),
  overflow: oneOf('error', 'drop-newest', 'drop-oldest'),
  replayable: flag,
};

const DEFAULT_BUFFER = 16_384;

/** No record is of this type: a source accepts nothing. */
export interface NoInput {
  /** Only for the compiler: its error says why a source takes no records. */
  readonly 'a source has no input': never;
}

/** A source of your own: extend it and give it a `read`. */
export abstract class SourceTask<Out> extends BaseTask<NoInput, Out> {
  /** Only for the compiler: a source may stand without dependencies, another task may not. */
  readonly isSource = true as const;
  override readonly kind: string = 'source';
  override readonly bearing = 'source';
  override readonly isRepeatable: boolean;
  protected readonly sourceOptions: SourceOptions<Out>;

  /** Throws MILLRACE_INVALID_OPTION for values that do not fit. */
  constructor(options: SourceOptions<Out> = {}) {
    super(options);
    this.sourceOptions = options;
    this.isRepeatable = options.replayable ?? true;
    checkValues(options, SOURCE_RULES);
  }

  /** What to read in this run: an iterable, an async iterable, a Readable or an Observable. */
  protected abstract read(context: TaskContext): Awaitable<SourceOf<Out>>;

  /** How this run reads. Override it only for sources that hand over batches of their own. */
  protected reader(scope: TaskScope, operators: Operators): Awaitable<Reader<Out | Skip | Rejected>> {
    const source = this.read(scope);
    return isPromiseLike(source)
      ? source.then((resolved) => this.readerFrom(resolved, scope, operators))
      : this.readerFrom(source, scope, operators);
  }

  /**
   * Where in the input the record with this number, or one before it, begins; what it gives back comes again as
   * `past.mark`. Default: nothing, and a resumed run reads over what it has had.
   */
  protected positionOf(_lineage: Lineage): SourcePosition | undefined {
    return undefined;
  }

  /** The number of the first record that `reader` gives, asked after it was opened. Default: that of the position. */
  protected startOf(scope: TaskScope): Lineage {
    return positionIn(scope)?.lineage ?? 0;
  }

  override mark({ root }: TaskScope): SourcePosition | undefined {
    return this.positionOf(root.watermark);
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<NoInput>, Batch<Out>> {
    const { output } = this.options;
    // The records of a source that cannot be read again are new ones.
    const check = output === undefined ? undefined : checkOutput<Out>(output, scope.task);
    // The source is open by then, and knows where it begins.
    const skip = (): number => (this.isRepeatable ? scope.root.watermark - this.startOf(scope) : 0);
    return operators.readSource<Out>({ open: () => this.reader(scope, operators), skip, check }, scope);
  }

  private readerFrom(source: SourceOf<Out>, scope: TaskScope, operators: Operators): Reader<Out | Skip> {
    if (isObservable(source)) {
      if (this.isRepeatable && this.sourceOptions.replayable !== true) {
        scope.cannotResume(
          `source '${scope.task}' reads an Observable. Say \`replayable: true\` where it gives the same records each time, else false`,
        );
      }
      return this.subscribe(source, scope.task, operators);
    }
    if (!isPullable(source)) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Source '${scope.task}' can read an iterable, an async iterable, a Readable or an Observable, got ${describeValue(source)}`,
      );
    }
    return operators.readerOf(source);
  }

  private subscribe(source: Observable<Out>, name: string, operators: Operators): Reader<Out | Skip> {
    const { buffer = DEFAULT_BUFFER, overflow = 'error' } = this.sourceOptions;
    const outbox = new operators.Outbox<Out>({ capacity: buffer, overflow, name });
    const subscription: Subscription = source.subscribe({
      next: (record) => {
        outbox.push(record);
      },
      error: (error: unknown) => {
        outbox.fail(error);
      },
      complete: () => {
        outbox.complete();
      },
    });
    return {
      read: (max) => outbox.read(max),
      close: () => {
        subscription.unsubscribe();
        outbox.close();
      },
    };
  }
}

/**
 * A source from anything that can be iterated or observed, or from a function that gives it anew for every run. Throws
 * MILLRACE_INVALID_OPTION for options that do not fit; with the same code a run fails whose source can be neither.
 *
 * @example sourceTask([1, 2, 3])
 * @example sourceTask(() => fs.createReadStream(path).pipe(split()))
 * @example sourceTask(() => interval(100), { buffer: 100, overflow: 'drop-oldest' })
 */
export function sourceTask<Out>(
  from: SourceOf<Out> | ((context: TaskContext) => Awaitable<SourceOf<Out>>),
  options: SourceOptions<Out> = {},
): SourceTask<Out> {
  checkOptions('a sourceTask', options, SOURCE_RULES);
  return new FunctionSource(from, options);
}

class FunctionSource<Out> extends SourceTask<Out> {
  private readonly from: SourceOf<Out> | ((context: TaskContext) => Awaitable<SourceOf<Out>>);

  constructor(from: SourceOf<Out> | ((context: TaskContext) => Awaitable<SourceOf<Out>>), options: SourceOptions<Out>) {
    super(isObservable(from) ? { replayable: false, ...options } : options);
    this.from = from;
  }

  protected override read(context: TaskContext): Awaitable<SourceOf<Out>> {
    return typeof this.from === 'function' ? this.from(context) : this.from;
  }
}

/** Where a source can go on reading: plain data, with the number of the first record that it gives from there. */
export interface SourcePosition {
  /** The number of the first record that is read from there. */
  readonly lineage: Lineage;
  readonly [key: string]: Json;
}

/** Where a source of a resumed run goes on; undefined where it begins at the beginning. */
export function positionIn({ past, root }: TaskScope): SourcePosition | undefined {
  const position = past?.mark as SourcePosition | undefined;
  // What comes before a boundary is read from the beginning, and records that are done again may come before the mark.
  return position !== undefined && position.lineage <= root.watermark ? position : undefined;
}

function isPullable(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value))
  );
}
