/**
 * The interface of a task, as the engine calls it. Users extend `RecordTask` or `SourceTask`; `BaseTask` is for tasks
 * that have an Observable operator of their own.
 *
 * Guarantees: `open` is called once, before the first record of a run, and may be asynchronous; `operator` is called
 * once per run; `close` is called once at the end of the run, on every path, after the operator was unsubscribed. A
 * task instance belongs to one run at a time.
 */
import type { Observable, OperatorFunction } from 'rxjs';
import type { Json, SettledProgress } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import type { TaskMemo } from '../model/memo.js';
import type { Awaitable, RunOutcome } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import { checkValues } from '../options/options.js';
import type { Fusible, Operators } from './fusible.js';
import type { FoldedParts, FoldRequest } from './source-parts.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

export type { Operators };

/**
 * Marks every task. The symbol is registered globally, so that two copies of the package recognise each other's tasks.
 */
export const TASK: unique symbol = Symbol.for('millrace.task') as never;

/** A source in front of a task that may fold it. */
export interface FoldedSource {
  readonly task: Task<never, unknown>;
  readonly scope: TaskScope;
  readonly onOver: () => void;
}

/** A record that was found outside of the run, in an input or an output. */
export interface FoundRecord {
  /** The place, as readable text: a file and line. */
  readonly where: string;
  /** The content of that place, and the record that the task makes from it. */
  readonly what: string;
  /** The number that the record has in the run, or in its partition. Only for the input of a source. */
  readonly lineage?: number;
  /** The partition of that number. Default 0. */
  readonly partition?: number;
  /**
   * True when the record ended in the source: it was skipped or given up. Only for the input of a source. Default
   * false.
   */
  readonly isOver?: boolean;
}

/** What a task may hold at most, beside the window of the run. */
export interface TaskBound {
  /** What is counted, in the plural: `records in work`, `keys`. */
  readonly what: string;
  /** The most of them. */
  readonly most: number;
}

/** The part of a durable checkpoint that concerns one task. */
export interface DurablePosition {
  /** The position that `persist` returned for the checkpoint. */
  readonly position: Json | undefined;
  /** The settled records of the root of its outputs, over all incarnations of the run. */
  readonly settled: SettledProgress;
}

/** The type of the named outputs of a task without named outputs. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type
export type NoOutputs = Record<never, never>;

declare const BESIDE: unique symbol;

/** For the compiler only: the named outputs of a task stand beside its plain output. */
export interface Beside {
  readonly [BESIDE]: true;
}

/**
 * The records that must be processed in one place: 'whole' for all records, or a key for the records with the same key.
 */
export type Partitioning = 'whole' | { readonly key: (record: never) => unknown };

/** A node of a workflow, as the engine sees it. `Named` has the types of its named outputs. */
export interface Task<In, Out, Named extends object = NoOutputs> {
  /** Marks an object of any class as a task. */
  readonly [TASK]: true;
  /** For the compiler only: the type of the input. Never present at run time. */
  readonly accepts?: (record: In) => void;
  /** For the compiler only: the type of the output. Never present at run time. */
  readonly emits?: () => Out;
  /** For the compiler only: the types of the named outputs. Never present at run time. */
  readonly branches?: () => Named;

  /** The name of this kind of task in `graph` and `list`. The engine does not use it. */
  readonly kind: string;
  /**
   * The name of the format in which checkpoints store the positions and the state of the task. A run resumes only with
   * the same name, so the name must stay the same while the format does, even if `kind` changes. Default ''.
   */
  readonly checkpointFormat?: string;
  /** True if it sends each record to another system and waits for the answer, for traces. Default false. */
  readonly callsUpstream?: boolean;
  /** The options, as given. */
  readonly options: TaskOptions<unknown, unknown>;
  /** `source` and `boundary` tasks create new lineages, the others keep those of their input. */
  readonly bearing: 'source' | 'boundary' | 'inherits';
  /** True for a boundary whose outputs are children of one input record each, so that `gather` can collect them. */
  readonly expands: boolean;
  /** The names of the outputs of a task that emits each record by exactly one of them; empty for a plain output. */
  readonly outputs: readonly string[];
  /** The names of outputs beside the plain one. No task has to read them. Absent in tasks of earlier versions. */
  readonly sideOutputs?: readonly string[];
  /**
   * True when the task writes its records outside of the run. Then it receives each record, also when no task
   * downstream needs more. A durable task receives each record in any case.
   */
  readonly writes: boolean;
  /** True when the output outlives the process and can be cut back to a position, such as a file. */
  readonly isDurable: boolean;
  /**
   * True when `checkpointed` commits, so that the task cannot go back to an earlier checkpoint than the last one.
   */
  readonly hasCommits: boolean;
  /**
   * For a source or a boundary: true when the same input has the same outputs in the same order again, so that a
   * resumed run numbers them in the same way. When false, a resumed run repeats all work downstream of the task.
   */
  readonly isRepeatable: boolean;
  /**
   * True when the same input always has the same result, independent of anything outside of the run: no call, no clock,
   * no thread that may die.
   */
  readonly isDeterministic: boolean;
  /**
   * True for a task that calls a system outside of the run per record, so that repeated work costs more than time. Its
   * records make checkpoints due earlier. Default false.
   */
  readonly makesCalls?: boolean;
  /**
   * For a task that makes calls: whether a call that is repeated has no further effect, as far as the task knows.
   * Undefined if the task does not declare it. For `explain`.
   */
  readonly isIdempotent?: boolean | undefined;
  /** What the task may hold at most, for `explain`. Absent in tasks of earlier versions of this package. */
  readonly bounds?: readonly TaskBound[];
  /**
   * True for a task whose operator can keep its state in the checkpoints of the run: that of a boundary, or what it
   * knows about the records in flight.
   */
  readonly keepsState: boolean;
  /**
   * Which records of its input the task must receive in one place when a workflow is spread over several processes.
   * Undefined: it treats each record by itself. Absent in tasks of earlier versions of this package.
   */
  readonly partitioning?: Partitioning | undefined;
  /**
   * For a task whose outputs depend on the order of its input in time: how to read it. A topic of a workflow that is
   * spread over several processes carries that order to the task. Absent in tasks of earlier versions of this package.
   */
  readonly timing?: Timing | undefined;
  /**
   * For a source: true when its records may be removed once they have settled, so that it cannot be read from its
   * beginning. Boundaries behind it keep their state. Default false.
   */
  readonly isTransient?: boolean;
  /** For a task that writes: true when several runs may write to the same place at the same time. Default false. */
  readonly isShareable?: boolean;
  /**
   * True when the task may emit, or end, without a new input record, such as by a timer. A quiet run then is not a
   * stalled run, and draining ends the task when nothing else can.
   */
  readonly emitsOnItsOwn: boolean;
  /**
   * True when the task submits work to the executor of the run. The run then has threads unless its options say
   * otherwise.
   */
  readonly usesExecutor: boolean;
  /**
   * How the task remembers its outputs across runs; undefined if it does not. Only for a task whose outputs have the
   * lineages of the input, and which is not fused. Absent in tasks of earlier versions of this package.
   */
  readonly memo?: TaskMemo | undefined;
  /** How the task can be fused with its neighbours; undefined if it cannot. */
  readonly fusible: Fusible | undefined;
  /** The data that the task reads or writes outside of the run, for events. */
  readonly dataset: Dataset | undefined;
  /**
   * For a boundary that can work on a complete list by itself: the task that does so. Its input is an array of the
   * records. A sub-workflow that runs once per record has it in place of the boundary. Absent in tasks of earlier
   * versions of this package.
   */
  readonly listForm?: Task<never, unknown> | undefined;

  /**
   * Offers the transaction in which a carrier keeps the progress of the run. Called before `open`. Absent in tasks of
   * earlier versions of this package.
   */
  enlist?(transaction: object): void;

  /**
   * The files that the task reads or writes, temporary files included: no two tasks of a run may write the same file,
   * and no task may write a file that another reads. Changes nothing.
   */
  files(): readonly TouchedFile[];
  /** The records that contain this value, among those that the task reads from outside or has written there. */
  find(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord>;
  /** Identifies the input of a source, as plain data that differs when the input differs. */
  identify(): Awaitable<Json>;
  /**
   * Called before any task of a run opens, and by `validate`. Throws if `open` would fail for a reason that can be seen
   * already, such as a missing folder. Opens and changes nothing. Absent in tasks of earlier versions of this package.
   *
   * @param position the position of the task in the checkpoint from which the run would resume, if that is known.
   */
  check?(position?: Json): Awaitable<void>;
  /** Prepares the task for a run. */
  open(scope: TaskScope): Awaitable<void>;
  /** The Observable operator of one run. `operators` are the engine's own, to build on. */
  operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>>;
  /**
   * Returns the position of the task after everything that it has emitted at the time of the call. Resolves when
   * everything up to the position would survive a loss of power. Called between two turns of the event loop, one call
   * at a time. A resumed run passes the position to `open` as `past.position`; a durable task then goes back to exactly
   * that position, also if the run is resumed from it several times.
   */
  persist(scope: TaskScope): Awaitable<Json | undefined>;
  /**
   * Called before each checkpoint. When it has resolved, the task has emitted everything that it has written, and it
   * writes nothing more until `persist` or `checkpointed` permits it. Undefined when a checkpoint needs no wait.
   */
  pause(scope: TaskScope): Awaitable<void> | undefined;
  /**
   * Called with the position of a checkpoint, after the checkpoint is safe against a loss of power. A resumed run may
   * repeat the call for the same position. Tasks that write are called before sources. An error fails the run.
   */
  checkpointed(durable: DurablePosition, scope: TaskScope): Awaitable<void> | undefined;
  /** Releases what `open` acquired. An error fails a run that had completed. */
  close(outcome: RunOutcome): Awaitable<void>;
  /**
   * For a source: how threads read it in parts and fold each part with an aggregate. Undefined when this run does not
   * read it in parts.
   */
  foldParts(fold: FoldRequest, scope: TaskScope): FoldedParts | undefined;
  /**
   * For a task that can accept the folded parts of its only source instead of records: its outputs. The task calls
   * `onOver` when the source has been read. Undefined when the task accepts records.
   */
  foldFrom(source: FoldedSource, scope: TaskScope, operators: Operators): Observable<Batch<Out>> | undefined;
}

/** How a task reads the time of its input. */
export interface Timing {
  /** The time of a record, in milliseconds since 1970. */
  readonly timeOf: (record: never) => number;
  /** See `WindowOptions`. */
  readonly idleMs: number | undefined;
}

/** True for a task of any copy of this package. */
export function isTask(value: unknown): value is Task<never, unknown> {
  return typeof value === 'object' && value !== null && (value as { readonly [TASK]?: unknown })[TASK] === true;
}

const NO_OUTPUTS: readonly string[] = [];

/**
 * A task with an Observable operator of its own; every other member has a default. For a task that works on one record
 * at a time extend `RecordTask`.
 */
export abstract class BaseTask<In, Out> implements Task<In, Out> {
  /** Marks an object of any class as a task. */
  readonly [TASK] = true as const;
  /** For the compiler only: the type of the input. Never present at run time. */
  declare readonly accepts?: (record: In) => void;
  /** For the compiler only: the type of the output. Never present at run time. */
  declare readonly emits?: () => Out;

  /** The name of this kind of task in `graph` and `list`. Default 'custom'. */
  readonly kind: string = 'custom';
  /** See `Task.checkpointFormat`. Default ''. */
  readonly checkpointFormat: string = '';
  /** Default 'inherits': the outputs have the lineages of the input. */
  readonly bearing: 'source' | 'boundary' | 'inherits' = 'inherits';
  /** See `Task.expands`. Default false. */
  readonly expands: boolean = false;
  /** See `Task.outputs`. Default: one plain output. */
  readonly outputs: readonly string[] = NO_OUTPUTS;
  /** See `Task.writes`. Default false. */
  readonly writes: boolean = false;
  /** See `Task.isDurable`. Default false. */
  readonly isDurable: boolean = false;
  /** See `Task.hasCommits`. Default false. */
  readonly hasCommits: boolean = false;
  /** See `Task.isRepeatable`. Default false. */
  readonly isRepeatable: boolean = false;
  /** See `Task.isDeterministic`. Default false. */
  readonly isDeterministic: boolean = false;
  /** See `Task.makesCalls`. Default false. */
  readonly makesCalls: boolean = false;
  /** See `Task.keepsState`. Default false. */
  readonly keepsState: boolean = false;
  /** See `Task.emitsOnItsOwn`. Default false. */
  readonly emitsOnItsOwn: boolean = false;
  /** The options, as given. Their record types belong to the class, so that any task is a `Task<never, unknown>`. */
  readonly options: TaskOptions<unknown, unknown>;

  /**
   * Throws MILLRACE_INVALID_OPTION for values that do not fit. Option names that only the subclass knows are accepted.
   */
  constructor(options: TaskOptions<In, Out> = {}) {
    this.options = options;
    checkValues(options, TASK_RULES);
  }

  /** The Observable operator of one run. */
  abstract operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>>;

  /** See `Task.partitioning`. Default: none, and 'whole' for a boundary. */
  get partitioning(): Partitioning | undefined {
    return this.bearing === 'boundary' && !this.expands ? 'whole' : undefined;
  }

  /** See `Task.isTransient`. Default false. */
  get isTransient(): boolean {
    return false;
  }

  /** See `Task.isShareable`. Default false. */
  get isShareable(): boolean {
    return false;
  }

  /** See `Task.usesExecutor`. Default false. */
  get usesExecutor(): boolean {
    return false;
  }

  /** See `Task.bounds`. Default: nothing beside the window. */
  get bounds(): readonly TaskBound[] {
    return [];
  }

  /** See `Task.memo`. Default: nothing is remembered. */
  get memo(): TaskMemo | undefined {
    return undefined;
  }

  /** See `Task.fusible`. Default: the task is not fused. */
  get fusible(): Fusible | undefined {
    return undefined;
  }

  /** See `Task.dataset`. Default: none. */
  get dataset(): Dataset | undefined {
    return undefined;
  }

  /** See `Task.listForm`. Default: none. */
  get listForm(): Task<never, unknown> | undefined {
    return undefined;
  }

  /** See `Task.files`. Default: the name of `dataset`, if its namespace is `file`. */
  files(): readonly TouchedFile[] {
    const { dataset } = this;
    if (dataset?.namespace !== 'file') return [];
    return [{ path: dataset.name, use: this.bearing === 'source' ? 'read' : 'write' }];
  }

  /** See `Task.find`. Default: no records. */
  find(_key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord> {
    return [];
  }

  /** See `Task.identify`. Default null. */
  identify(): Awaitable<Json> {
    return null;
  }

  /** See `Task.check`. Default: nothing to check. */
  check(_mark?: Json): Awaitable<void> {
    return undefined;
  }

  /** See `Task.open`. Default: nothing to prepare. */
  open(_scope: TaskScope): Awaitable<void> {
    return undefined;
  }

  /** See `Task.persist`. Default: no position. */
  persist(_scope: TaskScope): Awaitable<Json | undefined> {
    return undefined;
  }

  /** See `Task.pause`. Default: a checkpoint needs no wait. */
  pause(_scope: TaskScope): Awaitable<void> | undefined {
    return undefined;
  }

  /** See `Task.checkpointed`. Default: nothing to do. */
  checkpointed(_durable: DurablePosition, _scope: TaskScope): Awaitable<void> | undefined {
    return undefined;
  }

  /** See `Task.close`. Default: nothing to release. */
  close(_outcome: RunOutcome): Awaitable<void> {
    return undefined;
  }

  /** See `Task.foldParts`. Default undefined. */
  foldParts(_fold: FoldRequest, _scope: TaskScope): FoldedParts | undefined {
    return undefined;
  }

  /** See `Task.foldFrom`. Default undefined. */
  foldFrom(_source: FoldedSource, _scope: TaskScope, _operators: Operators): Observable<Batch<Out>> | undefined {
    return undefined;
  }
}
