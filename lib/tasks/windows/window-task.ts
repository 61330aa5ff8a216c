/**
 * Windows: the records of a key in a stretch of time, or a fixed number of them, become one result. A boundary: results
 * have a root of their own.
 *
 * Guarantees: a window emits one final result, when the watermark is `allowedLatenessMs` behind its end. The result
 * contains each record of the window that was added before. Results are emitted in the order of the ends of their
 * windows. Records are processed in the order of their root, so no record is late because a task in front of this one
 * changed the order. The open windows, the watermark and the outputs that are not emitted are in one checkpoint. The
 * identity of a result is its key and its window.
 */
import type { OperatorFunction } from 'rxjs';
import { invalidOption, describeValue } from '../../model/errors.js';
import type { Batch, Skip } from '../../model/record.js';
import {
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  count,
  number,
  type OptionRule,
  type OptionRules,
} from '../../options/options.js';
import type { InputEdge, TaskScope } from '../../stream/task-scope.js';
import {
  BaseTask,
  type Beside,
  type Operators,
  type Partitioning,
  type Task,
  type TaskBound,
  type Timing,
} from '../task.js';
import { checkInput } from '../record-step.js';
import { DURABLE_RULES, TASK_RULES } from '../task-options.js';
import type { WindowWork } from './window-reader.js';
import { isWindowKind } from './window-kinds.js';
import { DEFAULT_MAX_WINDOWS, LATE, type LateRecord, type Windowed, type WindowOptions } from './windowed.js';

/** Options of `windowTask`. */
export interface WindowTaskOptions<In, Out> extends WindowOptions<In, Out> {
  /**
   * The number of records of a window after which its result so far is emitted, again and again, with `isFinal` false.
   * Default: final results only.
   */
  readonly earlyEach?: number;
}

/** The rules of the options that all tasks with windows have. */
export const WINDOW_RULES: OptionRules<WindowOptions<unknown, unknown>> = {
  ...TASK_RULES,
  ...DURABLE_RULES,
  allowedLatenessMs: number(0),
  idleMs: count(),
  maxWindows: count(),
};

const RULES: OptionRules<WindowTaskOptions<unknown, unknown>> = { ...WINDOW_RULES, earlyEach: count() };

/** The rule of `window`. */
export const windowKind: OptionRule = {
  expected: 'tumbling(…), sliding(…), session(…) or counted(…)',
  accepts: isWindowKind,
};

const WINDOWED_RULES: OptionRules<Windowed<never, unknown, unknown, unknown>> = {
  key: callback,
  timestamp: callback,
  window: windowKind,
  init: callback,
  add: callback,
  merge: callback,
  finish: callback,
};

/** The named output of late records, beside the results. */
export type LateOutput<In> = {
  /** The records that came after one of their windows was closed. */
  readonly late: LateRecord<In>;
} & Beside;

/**
 * Aggregates the records of each key by window. `['Name.late']` is an output of the records that came too late; if no
 * task reads it, `onFailure` decides about them, with MILLRACE_LATE. Throws MILLRACE_INVALID_OPTION for functions and
 * options that do not fit: a session needs `merge`, and windows of records have no `timestamp` and no lateness.
 *
 * @example
 * windowTask({ key: (bid: Bid) => bid.auction, timestamp: (bid) => bid.at, window: tumbling(60_000), init: () => 0,
 *   add: (bids) => bids + 1, finish: (bids, { key, start }) => ({ auction: key, minute: start, bids }) })
 */
export function windowTask<In, State, Out, Key = undefined>(
  windowed: Windowed<In, Key, State, Out>,
  options: WindowTaskOptions<In, Exclude<Out, Skip>> = {},
): Task<In, Exclude<Out, Skip>, LateOutput<In>> {
  checkObject('the functions of a windowTask', windowed);
  checkOptions('a windowTask', options, RULES);
  checkWindowed(windowed);
  const { kind } = windowed.window;
  if (kind === 'session' && windowed.merge === undefined) {
    throw invalidOption('Expected a windowTask with sessions to have `merge`, because two sessions may become one');
  }
  checkTime('a windowTask', windowed.timestamp !== undefined, kind === 'count', options);
  const { earlyEach } = options;
  return new WindowTask<In, Key, State, Out, In>(workOf(windowed, earlyEach), options, windowed.key);
}

/** Throws MILLRACE_INVALID_OPTION for options that need `timestamp` if there is none. */
function checkTime(
  what: string,
  hasTimestamp: boolean,
  isCounted: boolean,
  { allowedLatenessMs, idleMs }: Pick<WindowOptions<unknown, unknown>, 'allowedLatenessMs' | 'idleMs'>,
): void {
  if (isCounted && hasTimestamp) {
    throw invalidOption(`Expected ${what} with windows of records to have no \`timestamp\`. Remove it`);
  }
  const needless = hasTimestamp
    ? undefined
    : allowedLatenessMs !== undefined
      ? 'allowedLatenessMs'
      : idleMs !== undefined
        ? 'idleMs'
        : undefined;
  if (needless === undefined) return;
  throw invalidOption(
    `Expected ${what} with \`${needless}\` to have \`timestamp\`: without it no record is late and nothing waits for a partition. Remove one, or add the other`,
  );
}

function checkWindowed<In, Key, State, Out>(windowed: Windowed<In, Key, State, Out>): void {
  for (const part of ['init', 'add', 'finish'] as const) checkFunction(`\`${part}\` of a windowTask`, windowed[part]);
  if (!isWindowKind(windowed.window)) {
    throw invalidOption(
      `Expected \`window\` of a windowTask to be ${windowKind.expected}, got ${describeValue(windowed.window)}`,
    );
  }
  // An instance of a user's class may have members of its own.
  if (Object.getPrototypeOf(windowed) === Object.prototype) {
    checkOptions('the functions of a windowTask', windowed, WINDOWED_RULES);
  }
}

function workOf<In, Key, State, Out>(
  windowed: Windowed<In, Key, State, Out>,
  earlyEach: number | undefined,
): WindowWork<In, Key, State, Out> {
  const { timestamp, merge } = windowed;
  return {
    kind: windowed.window,
    earlyEach,
    timeOf: timestamp === undefined ? undefined : (record) => timestamp.call(windowed, record),
    keyOf: (record) => (windowed.key === undefined ? (undefined as Key) : windowed.key(record)),
    init: (key) => windowed.init(key),
    add: (state, record) => windowed.add(state, record),
    merge: (left, right) => (merge as (left: State, right: State) => State).call(windowed, left, right),
    count: () => 1,
    make: (state, window) => windowed.finish(state, window),
  };
}

/** Undefined for windows of records and windows by the clock, which depend on no order in time. */
function timingOf<In>(
  { timeOf }: { readonly timeOf: ((record: In) => number) | undefined },
  { idleMs, input }: Pick<WindowOptions<In, unknown>, 'idleMs' | 'input'>,
): Timing | undefined {
  if (timeOf === undefined) return undefined;
  const check = checkInput<In>(input, 'windows');
  return { timeOf: (record: In) => timeOf(check(record)), idleMs };
}

/** A task with windows. `Late` is the type of its late records. */
export class WindowTask<In, Key, State, Out, Late> extends BaseTask<In, Exclude<Out, Skip>> {
  declare readonly branches?: () => LateOutput<Late>;
  override readonly kind: string;
  override readonly bearing = 'boundary';
  override readonly isRepeatable: boolean;
  override readonly isDeterministic: boolean;
  override readonly keepsState = true;
  readonly sideOutputs: readonly string[];
  private readonly work: WindowWork<In, Key, State, Out>;
  private readonly windowOptions: WindowOptions<In, Out>;
  private readonly key: ((record: In) => unknown) | undefined;

  constructor(
    work: WindowWork<In, Key, State, Out>,
    options: WindowOptions<In, Exclude<Out, Skip>>,
    key: ((record: In) => unknown) | undefined,
    kind = 'window',
  ) {
    super(options);
    this.kind = kind;
    this.work = work;
    this.windowOptions = options;
    this.key = key;
    const isCounted = work.kind.kind === 'count';
    this.sideOutputs = isCounted ? [] : [LATE];
    // The clock decides when a record of the clock, or a channel that is idle, closes windows.
    this.isDeterministic = isCounted || (work.timeOf !== undefined && options.idleMs === undefined);
    this.isRepeatable = this.isDeterministic;
  }

  override get partitioning(): Partitioning {
    const { key } = this;
    return key === undefined ? 'whole' : { key: (record: In) => key(record) };
  }

  get timing(): Timing | undefined {
    return timingOf(this.work, this.windowOptions);
  }

  override get bounds(): readonly TaskBound[] {
    const { maxRecords } = this.work;
    const windows = { what: 'open windows', most: this.windowOptions.maxWindows ?? DEFAULT_MAX_WINDOWS };
    return maxRecords === undefined ? [windows] : [windows, { what: 'records in open windows', most: maxRecords }];
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Exclude<Out, Skip>>> {
    const { work, windowOptions } = this;
    const windows = operators.operate<In, Exclude<Out, Skip>>((subscriber) => {
      return new operators.WindowReader<In, Key, State, Out>(work, windowOptions, scope, subscriber);
    });
    // In the order of the root, so that no record is late because a task in front of this one changed the order.
    return (input$) => windows(input$.pipe(operators.inRootOrder((scope.inputs[0] as InputEdge).root)));
  }
}
