/**
 * One window task in one run: adds records to their windows, closes windows as time passes, and emits results, late
 * records and early results. `windowTask` states the guarantees.
 *
 * A record is added and leaves its root in one turn of the event loop, and a window leaves the state when its last
 * result is read. So each record and each result is in a checkpoint once.
 */
import type { Subscriber } from 'rxjs';
import { checkKey } from '../../execution/partition-key.js';
import { checkedFunctions } from '../../execution/checked-functions.js';
import { type Awaitable, refusePromise, Waiter } from '../../model/awaitable.js';
import { sampleWeight } from '../../measure/sampling.js';
import { FatalTaskError, MillraceError, describeValue } from '../../model/errors.js';
import { GONE, Rejected, Routed, type Batch, type Lineage, type Skip } from '../../model/record.js';
import { Intake, type Arrival } from '../../stream/intake.js';
import type { OutputIdentity } from '../../stream/kept-outputs.js';
import type { Engine } from '../../stream/operate.js';
import { pumpInto } from '../../stream/pump-root.js';
import type { Reader } from '../../stream/reader.js';
import type { Change, StateHolder, StateSpace } from '../../stream/state-space.js';
import { restoredOutput, storedOutput, type StoredOutput } from '../../stream/stored-output.js';
import type { InputEdge, TaskScope } from '../../stream/task-scope.js';
import { identityOfKey } from '../key-identity.js';
import { checkInput, checkOutput } from '../record-step.js';
import type { Folding, Missed, OpenWindow } from './open-windows.js';
import { Watermark, type StoredWatermark } from './watermark.js';
import type { WindowKind } from './window-kinds.js';
import { WindowStore } from './window-store.js';
import { LATE, type LateRecord, type WindowOf, type WindowOptions } from './windowed.js';

/** The work of a window task or of a window join. */
export interface WindowWork<In, Key, State, Out> extends Folding<In, Key, State> {
  readonly kind: WindowKind;
  /** The number of records of a window after which its result so far is emitted, again and again. */
  readonly earlyEach: number | undefined;
  /** The most records in all open windows. Default: no limit, because windows have states of a bounded size. */
  readonly maxRecords?: number;
  /** The time of a record; undefined if records have the time at which they arrive. */
  readonly timeOf: ((record: In) => number) | undefined;
  keyOf(record: In): Key;
  /** The number of outputs of a window. */
  count(state: State): number;
  /** The number of records of a window that are in none of its outputs, with the reason. Default: none. */
  unused?(state: State): { readonly reason: string; readonly count: number };
  /** The output with this index. */
  make(state: State, window: WindowOf<Key>, index: number): Out | Skip;
}

type Output<Out> = Out | Skip | Rejected;

/** An output that had no room, with its name. */
type Ready<Out> = readonly [name: string, output: Output<Out>];

/** The part of the state that is stored beside the windows. */
interface StoredProgress {
  readonly watermark: StoredWatermark;
  /** The number of records so far. */
  readonly records: number;
  /** The number of outputs that the window that is closed now has emitted. */
  readonly made: number;
}

/**
 * The last time of a Date. Beyond it, numbers are no longer exact to the millisecond: windows would have no size.
 */
const LAST_TIME = 8.64e15;

/** The keys of the other entries. The keys of windows are numbers. */
const PROGRESS = 'progress';
const READY = 'ready';

export class WindowReader<In, Key, State, Out> implements Engine<In>, Reader<Output<Out>>, StateHolder {
  private readonly work: WindowWork<In, Key, State, Out>;
  /** The functions of `work` that make states and results. */
  private readonly functions: Pick<WindowWork<In, Key, State, Out>, 'init' | 'add' | 'merge' | 'make'>;
  private readonly options: WindowOptions<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly edge: InputEdge;
  private readonly before: (record: In) => In;
  private readonly after: (output: Out | Skip) => Out | Skip;
  private readonly intake: Intake;
  private readonly waiter = new Waiter();
  private readonly store: WindowStore<In, Key, State>;
  private readonly watermark: Watermark;
  private ready: Ready<Out>[] = [];
  private hasStoredReady = false;
  private records = 0;
  private made = 0;
  /** Every record below this number has arrived. */
  private received: Lineage = 0;
  private isOver = false;
  /** Whether records, or the end of the input, have arrived since the last look at the input. */
  private hasNews = false;
  /** Set when all records were added: true if the windows that are still open are to be closed. */
  private isFlushing: boolean | undefined;
  private isClosed = false;
  private cancelTimer: () => void = () => undefined;
  private steps = 0;

  constructor(
    work: WindowWork<In, Key, State, Out>,
    options: WindowOptions<In, Out>,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.work = work;
    this.functions = checkedFunctions(work, scope.task);
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.edge = scope.inputs[0] as InputEdge;
    this.before = checkInput<In>(options.input, scope.task);
    this.after = checkOutput<Out>(options.output, scope.task);
    this.intake = new Intake(scope, subscriber);
    this.watermark = new Watermark(
      () => this.edge.root.channels,
      () => scope.clock.now(),
      options.idleMs,
    );
    const { earlyEach = 0 } = work;
    this.store = new WindowStore({
      kind: work.kind,
      folding: this.functions,
      maxWindows: options.maxWindows,
      maxRecords: work.maxRecords,
      scope,
      onChanged:
        earlyEach === 0
          ? undefined
          : (window) => {
              if (window.records > 0 && window.records % earlyEach === 0) this.addEarly(window);
            },
    });
    if (scope.state !== undefined) this.restore(scope.state);
  }

  connect(): void {
    const { scope, subscriber } = this;
    pumpInto(scope.outputs?.continuing(this, scope.past) ?? this, scope, subscriber);
    this.edge.root.whenChannelsChanged(() => {
      this.wake();
    });
  }

  /** Batches must come in the order of their root. */
  accept(batch: Batch<In>, input: number): void {
    this.received = (batch.lineages.at(-1) ?? this.received - 1) + 1;
    // Times that came with records count for records that are gone, too.
    this.intake.accept(batch, input, this.edge.root.channels.reachedAt !== undefined);
    this.wake();
  }

  endInput(): void {
    this.isOver = true;
    this.wake();
  }

  private wake(): void {
    this.hasNews = true;
    this.waiter.wake();
  }

  /** A method, not the field, so that TypeScript does not narrow it across the call. */
  private isBehind(): boolean {
    return this.hasNews;
  }

  read(max: number): Awaitable<readonly Output<Out>[] | null> {
    if (this.isClosed) return null;
    this.cancelTimer();
    let outputs: Output<Out>[];
    // Records that leave their root make room: before `advance` returns, others may have arrived, or the input ended.
    do {
      this.hasNews = false;
      outputs = this.advance(max);
    } while (outputs.length === 0 && this.isBehind());
    if (outputs.length > 0) return outputs;
    if (this.isFlushing !== undefined) {
      this.reportDropped();
      return null;
    }
    this.setTimer();
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.cancelTimer();
    this.waiter.wake();
  }

  *changes(): Iterable<Change> {
    yield* this.store.changes();
    const { watermark, records, made, ready } = this;
    yield [PROGRESS, [{ watermark: watermark.stored(), records, made } satisfies StoredProgress]];
    if (ready.length > 0) yield [READY, [ready.map(([name, output]) => [name, storedOutput(output)])]];
    else if (this.hasStoredReady) yield [READY, undefined];
    this.hasStoredReady = ready.length > 0;
  }

  private restore(space: StateSpace): void {
    const { restored } = space;
    const progress = restored.get(PROGRESS) as StoredProgress | undefined;
    if (progress !== undefined) {
      this.watermark.restore(progress.watermark);
      this.records = progress.records;
      this.made = progress.made;
    }
    const ready = (restored.get(READY) ?? []) as readonly (readonly [name: string, output: StoredOutput])[];
    this.hasStoredReady = ready.length > 0;
    this.ready = ready.map(([name, output]) => [name, restoredOutput(output) as Output<Out>]);
    this.store.restore([...restored].filter(([key]) => key !== PROGRESS && key !== READY));
    space.setHolder(this);
    space.consumed();
  }

  /** Windows that end here or earlier are closed. */
  private get closed(): number {
    if (this.isFlushing === true) return Infinity;
    return this.work.kind.kind === 'count' ? -Infinity : this.watermark.value - (this.options.allowedLatenessMs ?? 0);
  }

  private get usesClock(): boolean {
    return this.work.timeOf === undefined && this.work.kind.kind !== 'count';
  }

  /** Emits the outputs that are due. While there is none, adds the next record. */
  private advance(max: number): Output<Out>[] {
    const outputs: Output<Out>[] = [];
    const added: Lineage[] = [];
    if (this.usesClock) this.watermark.reach(this.scope.clock.now());
    else if (this.intake.size === 0) this.watermark.advance(this.received);
    while (outputs.length < max && !this.isClosed) {
      const [first] = this.ready;
      if (first !== undefined) {
        this.ready.shift();
        outputs.push(this.emitted(...first));
      } else if (this.closeOne(outputs)) continue;
      else if (this.intake.size > 0) added.push(this.processOne(this.intake.shift()));
      else if (!this.isOver || this.isFlushing !== undefined) break;
      // A drained input may have more records for the open windows, so a result would be a wrong answer.
      else this.isFlushing = !this.scope.isDraining;
    }
    this.intake.letGoAll(0, added);
    return outputs;
  }

  /** Emits an output of the window that is due. Returns whether there is one. */
  private closeOne(outputs: Output<Out>[]): boolean {
    const window = this.store.due(this.closed);
    if (window === undefined) return false;
    const count = this.work.count(window.state);
    if (this.made < count) {
      const index = this.made++;
      const { key, start, end } = window;
      const part = count === 1 ? '' : ` ${index}`;
      outputs.push(this.emitted(() => `${spanText(key, start, end)}${part}`, this.make(window, index, true)));
    }
    if (this.made >= count) {
      const unused = this.work.unused?.(window.state);
      if (unused !== undefined && unused.count > 0) this.scope.account.countSkip(unused.reason, unused.count);
      this.store.remove();
      this.made = 0;
    }
    return true;
  }

  private emitted(name: OutputIdentity, output: Output<Out>): Output<Out> {
    this.scope.outputs?.announce(name);
    return output;
  }

  private make(window: OpenWindow<Key, State>, index: number, isFinal: boolean): Output<Out> {
    const { key, start, end, records, state } = window;
    try {
      return this.after(this.functions.make(state, { key, start, end, records, isFinal }, index));
    } catch (error) {
      if (error instanceof FatalTaskError) throw error;
      return new Rejected({ key, start, end, state }, error);
    }
  }

  private addEarly(window: OpenWindow<Key, State>): void {
    const { key, start, end, records } = window;
    this.ready.push([`${spanText(key, start, end)} early ${records}`, this.make(window, 0, false)]);
  }

  /** Returns the lineage of the record, which leaves its root before this turn is over. */
  private processOne(arrival: Arrival): Lineage {
    const { clock, account } = this.scope;
    if (arrival.value === GONE) {
      if (this.work.timeOf !== undefined) this.watermark.observe(arrival.lineage, undefined);
      return arrival.lineage;
    }
    const weight = sampleWeight(this.steps++);
    const startedAtMs = weight > 0 ? clock.monotonicMs() : 0;
    try {
      this.add(arrival);
    } catch (error) {
      this.giveUp(arrival, error);
    }
    if (weight > 0) account.meter.looped((clock.monotonicMs() - startedAtMs) * weight);
    return arrival.lineage;
  }

  private add(arrival: Arrival): void {
    const { work, watermark } = this;
    const record = this.before(arrival.value as In);
    const at = this.placeOf(record);
    const key = checkKey(work.keyOf(record), 'key', this.scope.task);
    if (work.timeOf !== undefined) watermark.observe(arrival.lineage, at);
    this.records++;
    const missed = this.store.add({ key, record, at, closed: this.closed });
    if (missed.length > 0) this.addLate(arrival, record, at, missed);
  }

  /** The time of a record, or its number. */
  private placeOf(record: In): number {
    if (this.work.kind.kind === 'count') return this.records;
    const { timeOf } = this.work;
    if (timeOf === undefined) return this.watermark.value;
    const at = timeOf(record);
    if (typeof at === 'number' && Math.abs(at) <= LAST_TIME) return at;
    refusePromise(at, `\`timestamp\` of '${this.scope.task}'`);
    throw new MillraceError(
      'MILLRACE_INVALID_INPUT',
      `Expected \`timestamp\` of '${this.scope.task}' to return milliseconds since 1970, at most ±${LAST_TIME} as in a Date, got ${describeValue(at)}`,
    );
  }

  private addLate(arrival: Arrival, record: In, timestamp: number, missed: Missed): void {
    const { scope, edge } = this;
    const lateByMs = this.watermark.value - timestamp;
    if (!scope.readsOutput(LATE)) {
      const [{ start, end }] = missed as [Missed[number]];
      const more = missed.length === 1 ? '' : ` and ${missed.length - 1} others`;
      throw new MillraceError(
        'MILLRACE_LATE',
        `The record has the time ${timeText(timestamp)}, and its window from ${timeText(start)} to ${timeText(end)}${more} was closed: it is ${lateByMs} ms behind the watermark. Raise \`allowedLatenessMs\`, or read the output '${scope.task}.late'`,
      );
    }
    const late: LateRecord<In> = { record, timestamp, lateByMs, missed };
    const name = scope.outputs === undefined ? '' : `late ${scope.identityOf(arrival.lineage, edge.root)}`;
    this.ready.push([name, new Routed(LATE, late) as Out]);
  }

  private giveUp({ lineage, value: record }: Arrival, error: unknown): void {
    this.scope.giveUp({ lineage, record, error, attempts: 1, takenFrom: this.edge.root });
  }

  private setTimer(): void {
    const { scope, store, watermark } = this;
    const { nextEnd } = store;
    if (this.isOver || nextEnd === undefined) return;
    const { allowedLatenessMs = 0 } = this.options;
    const delayMs = this.usesClock
      ? nextEnd + allowedLatenessMs - scope.clock.now()
      : watermark.untilIdle(this.received);
    if (delayMs === undefined) return;
    this.cancelTimer = scope.clock.schedule(Math.max(1, delayMs), () => {
      this.waiter.wake();
    });
  }

  /** A run that drains and keeps no state cannot continue with its open windows. */
  private reportDropped(): void {
    const { scope, store } = this;
    if (store.size === 0 || scope.state !== undefined) return;
    scope.notice(`'${scope.task}' has emitted no results of ${store.size} open windows, because the run was drained`);
  }
}

function spanText(key: unknown, start: number, end: number): string {
  return `${identityOfKey(key)} from ${start} to ${end}`;
}

function timeText(at: number): string {
  return Math.abs(at) <= LAST_TIME ? new Date(at).toISOString() : String(at);
}
