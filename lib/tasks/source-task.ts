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
import { Rejected, Skip, type Batch, type Lineage } from '../model/record.js';
import { Outbox, type OverflowPolicy } from '../stream/outbox.js';
import { assertAllCame, isPromiseLike, pumpRoot } from '../stream/pump-root.js';
import { readerOf, type Pullable, type Reader } from '../stream/reader.js';
import { checkedReader } from './checked-reader.js';
import { checkOutput } from './record-step.js';
import type { FoldedParts, FoldRequest } from './source-parts.js';
import { Task } from './task.js';
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
/** How many items are read over at a time. */
const READ_OVER = 4096;

/** No record is of this type: a source accepts nothing. */
export interface NoInput {
  /** Only for the compiler: its error says why a source takes no records. */
  readonly 'a source has no input': never;
}

/** A source of your own: extend it and give it a `read`. */
export abstract class SourceTask<Out> extends Task<NoInput, Out> {
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

  protected override process(): never {
    throw new MillraceError('MILLRACE_INVALID_OPTION', `A source has no input to process`);
  }

  /** How this run reads. Override it only for sources that hand over batches of their own. */
  protected reader(scope: TaskScope): Awaitable<Reader<Out | Skip | Rejected>> {
    const source = this.read(scope);
    return isPromiseLike(source)
      ? source.then((resolved) => this.readerFrom(resolved, scope))
      : this.readerFrom(source, scope);
  }

  /**
   * How threads read the source in parts and fold them with the aggregate. Undefined where it is not read in parts in
   * this run.
   */
  foldParts(_fold: FoldRequest, _scope: TaskScope): FoldedParts | undefined {
    return undefined;
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

  override operator(scope: TaskScope): OperatorFunction<Batch<NoInput>, Batch<Out>> {
    const { output } = this.options;
    // The records of a source that cannot be read again are new ones.
    const goOn = (reader: Reader<Out | Skip | Rejected>): Reader<Out | Skip | Rejected> => {
      const had = this.isRepeatable ? scope.root.watermark - this.startOf(scope) : 0;
      return had > 0 ? skipping(reader, had, scope) : reader;
    };
    const reader = new LateReader(() => {
      const opened = this.reader(scope);
      return isPromiseLike(opened) ? opened.then(goOn) : goOn(opened);
    });
    return () =>
      pumpRoot<Out>(output === undefined ? reader : checkedReader(reader, checkOutput<Out>(output, scope.task)), scope);
  }

  private readerFrom(source: SourceOf<Out>, scope: TaskScope): Reader<Out | Skip> {
    if (isObservable(source)) {
      if (this.isRepeatable && this.sourceOptions.replayable !== true) {
        scope.cannotResume(
          `source '${scope.task}' reads an Observable. Say \`replayable: true\` where it gives the same records each time, else false`,
        );
      }
      return this.subscribe(source, scope.task);
    }
    if (!isPullable(source)) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Source '${scope.task}' can read an iterable, an async iterable, a Readable or an Observable, got ${describeValue(source)}`,
      );
    }
    return readerOf(source);
  }

  private subscribe(source: Observable<Out>, name: string): Reader<Out | Skip> {
    const { buffer = DEFAULT_BUFFER, overflow = 'error' } = this.sourceOptions;
    const outbox = new Outbox<Out>({ capacity: buffer, overflow, name });
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

/** Reads over the first `count` items. */
function skipping<T>(reader: Reader<T>, count: number, scope: TaskScope): Reader<T> {
  let left = count;
  return {
    read: async (max) => {
      while (left > 0) {
        const items = await reader.read(Math.min(left, READ_OVER));
        if (items === null) {
          assertAllCame(scope, scope.root.watermark - left);
          return null;
        }
        left -= items.length;
      }
      return reader.read(max);
    },
    close: () => reader.close(),
    share: () => reader.share?.(),
  };
}

/** A reader that is opened by its first read, so that nothing is opened before the run starts. */
class LateReader<T> implements Reader<T> {
  private readonly open: () => Awaitable<Reader<T>>;
  private opened: Awaitable<Reader<T>> | undefined;
  private isClosed = false;

  constructor(open: () => Awaitable<Reader<T>>) {
    this.open = open;
  }

  read(max: number): Awaitable<readonly T[] | null> {
    if (this.isClosed) return null;
    const reader = (this.opened ??= this.open());
    if (!isPromiseLike(reader)) return reader.read(max);
    return reader.then((ready) => {
      this.opened = ready;
      return this.isClosed ? null : ready.read(max);
    });
  }

  share(): number | undefined {
    return this.opened === undefined || isPromiseLike(this.opened) ? undefined : this.opened.share?.();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const reader = await Promise.resolve(this.opened).catch(() => undefined);
    await reader?.close();
  }
}

function isPullable(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value))
  );
}
