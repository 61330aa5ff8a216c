/**
 * What a task is: the one interface that everything else in the engine calls, and the class users extend.
 *
 * Contract: `open` is called once before the first record of a run and may take its time; `operator` is called once a
 * run and gives the Observable operator that does the work; `close` is called once at the end, on every path, after the
 * operator was unsubscribed. A task instance belongs to one run at a time.
 */
import type { Observable, OperatorFunction } from 'rxjs';
import type { Json, SettledProgress } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import type { Awaitable, RecordContext, RunOutcome } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import { MillraceError } from '../model/errors.js';
import { checkValues } from '../options/options.js';
import { mapBounded } from '../stream/map-bounded.js';
import type { Fusible } from './fusible.js';
import { compileStep } from './record-step.js';
import { CONCURRENT_RULES, type ConcurrentOptions } from './task-options.js';

/** A source in front of a task that may fold it. */
export interface FoldedSource {
  readonly task: Task<never, unknown>;
  readonly scope: TaskScope;
  readonly onOver: () => void;
}

/** A record that stands outside of the run. */
export interface FoundRecord {
  /** The place, for people: a file and line. */
  readonly where: string;
  /** What stands there, and what the task makes of it. */
  readonly what: string;
  /** Of what a source reads: the number it has in the run. */
  readonly lineage?: number;
  /** Of what a source reads: whether its way ended there, skipped or given up. Default false. */
  readonly isOver?: boolean;
}

/** What a durable checkpoint says about one task. */
export interface TakenMark {
  /** What `mark` returned at that moment. */
  readonly mark: Json | undefined;
  /** The records of the root of its outputs that have settled, over all lives of the run. */
  readonly settled: SettledProgress;
}

export const DEFAULT_CONCURRENCY = 64;

/**
 * A node of a workflow. Extend it and give it a `process`, and you have a task of your own; `open` and `close` are
 * there for what it needs (a connection, a file).
 *
 * @example
 * class Upsert extends Task<Row, Row> {
 *   async process(row: Row) { await this.db.upsert(row); return row; }
 * }
 */
export abstract class Task<In, Out> {
  /** Only for the compiler: what goes in, strictly, and what comes out. */
  declare readonly accepts?: (record: In) => void;
  /** Only for the compiler: never there at run time. */
  declare readonly emits?: () => Out;

  /** Whether what it writes outlives the process and can be taken back to a `mark`: a file. */
  readonly isDurable: boolean = false;
  /**
   * Of a source or a boundary: whether the same input gives the same outputs in the same order again, so that a resumed
   * run numbers them alike. What follows one that does not is done anew when a run is resumed.
   */
  readonly isRepeatable: boolean = false;
  /** What the task is called in `graph` and `list`. */
  readonly kind: string = 'custom';
  /** `source` and `boundary` tasks give birth to new lineages, the others keep them. */
  readonly bearing: 'source' | 'boundary' | 'inherits' = 'inherits';
  /** As given; its record types are kept by the class, not here, so that any task is a `Task<never, unknown>`. */
  readonly options: ConcurrentOptions<unknown, unknown>;

  /**
   * Throws MILLRACE_INVALID_OPTION for values that do not fit; options of other names are left to the class that extends
   * it.
   */
  constructor(options: ConcurrentOptions<In, Out> = {}) {
    this.options = options;
    checkValues(options, CONCURRENT_RULES);
  }

  /** The work on one record: the output, or `skip(reason)`. May be called for several records at once. */
  protected abstract process(record: In, context: RecordContext): Awaitable<Out | Skip>;

  /** Whether it gives work to the executor of the run; the run then has threads, unless it was told otherwise. */
  get usesExecutor(): boolean {
    return false;
  }

  /** How it may be one with its neighbours; undefined: not at all. */
  get fusible(): Fusible | undefined {
    return undefined;
  }

  /** The records with this value in them, among those it reads from outside or has written there; default: none. */
  find(_key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord> {
    return [];
  }

  /** What it reads or writes outside of the run, where others may know it; for events. */
  get dataset(): Dataset | undefined {
    return undefined;
  }

  /**
   * The files it reads or writes, those on the way to a result included: no two tasks of a run may write one, nor one
   * write what another reads. Looks at most; default: that of `dataset` by its name, where its namespace is `file`.
   */
  files(): readonly TouchedFile[] {
    const { dataset } = this;
    if (dataset?.namespace !== 'file') return [];
    return [{ path: dataset.name, use: this.bearing === 'source' ? 'read' : 'write' }];
  }

  /** What a source reads, as plain data that differs when the input does. */
  identify(): Awaitable<Json> {
    return null;
  }

  /**
   * Fixes, when it is called, how far the task has come with what it has emitted; resolves with that, as plain data, when
   * it would survive the loss of power. Called between two turns of the event loop, one at a time. A resumed run gives
   * it back to `open` as `past.mark`; a durable task then goes back to exactly that point, however often it is asked.
   */
  mark(_scope: TaskScope): Awaitable<Json | undefined> {
    return undefined;
  }

  /**
   * Called before each checkpoint. Once it has resolved, nothing that the task has written waits to be emitted, and
   * nothing more is written until `mark` or `checkpointed` permits it. Default: undefined, a checkpoint needs no wait.
   */
  pause(_scope: TaskScope): Awaitable<void> | undefined {
    return undefined;
  }

  /**
   * Called after a checkpoint would survive the loss of power, with what `mark` returned for it; may be repeated for the
   * same mark by a resumed run. Tasks that write are called before sources. What it throws fails the run.
   */
  checkpointed(_taken: TakenMark, _scope: TaskScope): Awaitable<void> | undefined {
    return undefined;
  }

  /** Gets ready for a run. */
  open(_context: TaskScope): Awaitable<void> {
    return undefined;
  }

  /** Releases what `open` took; what it throws fails a run that had completed. */
  close(_outcome: RunOutcome): Awaitable<void> {
    return undefined;
  }

  /**
   * Of a task that can take in what threads have made of its only source, instead of the records: its outputs, and
   * `onSourceOver` is called when the source has been read. Undefined where it takes in records.
   */
  foldFrom(_source: FoldedSource, _scope: TaskScope): Observable<Batch<Out>> | undefined {
    return undefined;
  }

  /**
   * The Observable operator of one run. Override it only for tasks that are not record by record. Throws
   * MILLRACE_INVALID_OPTION where it would need a `process` and the class has none.
   */
  operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    // Whoever extends it in JavaScript may have forgotten.
    if (typeof (this.process as unknown) !== 'function') {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Task '${scope.task}' has no \`process\`: a class that extends Task gives it one, or an \`operator\``,
      );
    }
    const step = compileStep<In, Out>((record, context) => this.process(record, context), this.options, scope);
    const { concurrency = DEFAULT_CONCURRENCY, ordered = false } = this.options;
    return mapBounded(step, { concurrency, ordered }, scope);
  }
}
