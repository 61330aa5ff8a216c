/**
 * Sources: tasks that create lineages. The engine pulls iterables, async iterables and Readables. Observables push into
 * a bounded buffer with an overflow policy.
 *
 * Guarantees: a pulled source is never read further than the window allows.
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
import { checkOutputEventually } from './record-step.js';
import { BaseTask, type Operators } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

/** The kinds of objects that a source may read from. */
export type SourceOf<Out> = Pullable<Out> | Observable<Out>;

/** Options of `sourceTask` and of a source of your own. */
export interface SourceOptions<Out> extends TaskOptions<never, Out> {
  /** Observables only: the most records that wait for credits. Default 16,384. */
  readonly buffer?: number;
  /** Observables only: what happens to a record when the buffer is full. Default 'error'. */
  readonly overflow?: OverflowPolicy;
  /**
   * Whether each read returns the same records in the same order, so that a resumed run can read the source again.
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

/** The input type of a source. No record has this type, because a source accepts no records. */
export interface NoInput {
  /** For the compiler only: its error message explains why a source accepts no records. */
  readonly 'a source has no input': never;
}

/** A source of your own: extend this class and define `read`. */
export abstract class SourceTask<Out> extends BaseTask<NoInput, Out> {
  /** For the compiler only: a source needs no dependencies, any other task does. */
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

  /** Returns the records that this run reads: an iterable, an async iterable, a Readable or an Observable. */
  protected abstract read(context: TaskContext): Awaitable<SourceOf<Out>>;

  /** The reader of this run. Override it only for sources that return batches of their own. */
  protected reader(scope: TaskScope, operators: Operators): Awaitable<Reader<Out | Skip | Rejected>> {
    const source = this.read(scope);
    return isPromiseLike(source)
      ? source.then((resolved) => this.readerFrom(resolved, scope, operators))
      : this.readerFrom(source, scope, operators);
  }

  /**
   * The position in the input of the record with this number, or of an earlier record. A resumed run receives it as
   * `past.position`. Default: no position; a resumed run reads from the beginning and skips the records that earlier
   * incarnations have emitted.
   */
  protected positionOf(_lineage: Lineage): SourcePosition | undefined {
    return undefined;
  }

  /** The number of the first record of `reader`. Called after the reader was opened. Default: that of the position. */
  protected startOf(scope: TaskScope): Lineage {
    return positionIn(scope)?.lineage ?? 0;
  }

  override persist({ root }: TaskScope): Json | undefined {
    return this.positionOf(root.watermark);
  }

  /** Reads the source. A batch of records leaves when all of its records are checked, in their order. */
  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<NoInput>, Batch<Out>> {
    const { output } = this.options;
    // A source that cannot be read again returns new records, so none are skipped.
    const check = output === undefined ? undefined : checkOutputEventually<Out>(output, scope.task);
    // Called when the source is open and knows its first record.
    const skip = (): number => (this.isRepeatable ? scope.root.watermark - this.startOf(scope) : 0);
    return operators.readSource<Out>({ open: () => this.reader(scope, operators), skip, check }, scope);
  }

  private readerFrom(source: SourceOf<Out>, scope: TaskScope, operators: Operators): Reader<Out | Skip> {
    if (isObservable(source)) {
      if (this.isRepeatable && this.sourceOptions.replayable !== true) {
        scope.cannotResume(
          `source '${scope.task}' reads an Observable. Set \`replayable\` to true if it emits the same records each time, otherwise to false`,
        );
      }
      return operators.promiseFree(this.subscribe(source, scope.task, operators), `The source '${scope.task}'`);
    }
    if (!isPullable(source)) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected source '${scope.task}' to read an iterable, an async iterable, a Readable or an Observable, got ${describeValue(source)}`,
      );
    }
    return operators.promiseFree(operators.readerOf(source), `The source '${scope.task}'`);
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
 * A source from anything that can be iterated or observed, or from a function that returns such a value for every run.
 * Throws MILLRACE_INVALID_OPTION for options that do not fit. A run fails with the same code if its source can be
 * neither iterated nor observed.
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

/** A position from which a source can continue to read. Plain data. */
export interface SourcePosition {
  /** The number of the first record that is read from there. */
  readonly lineage: Lineage;
  readonly [key: string]: Json;
}

/** The position at which a source of a resumed run continues; undefined if it starts at the beginning. */
export function positionIn({ past, root }: TaskScope): SourcePosition | undefined {
  const position = past?.position as SourcePosition | undefined;
  // A source before a boundary is read from the beginning, and a run may repeat records that come before the position.
  return position !== undefined && position.lineage <= root.watermark ? position : undefined;
}

function isPullable(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value))
  );
}
