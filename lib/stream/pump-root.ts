/**
 * Creates lineages: reads records as credits allow, and emits them as batches of new lineages.
 *
 * Guarantees: it never reads more than the root has room for. It never recurses, however fast the tasks downstream
 * settle records. It makes batches smaller if one takes longer than the slice to pass the synchronous tasks. It
 * completes when the reader is over or was stopped, and closes the reader on each path.
 */
import { Observable, type Subscriber } from 'rxjs';
import { isPromiseLike } from '../model/awaitable.js';
import { MillraceError } from '../model/errors.js';
import { Batch, ENDED_BRAND, GONE, Skip, type Rejected, type Gone } from '../model/record.js';
import type { Branded } from '../model/shared-class.js';
import type { TaskScope } from './task-scope.js';
import type { Reader } from './reader.js';

/** The maximum number of records per batch. Larger batches are not measurably faster, and cost latency. */
const MAX_BATCH = 512;
/** If a batch takes longer to pass the synchronous tasks, the size is halved; below a quarter of it, doubled. */
const BATCH_SLICE_MS = 8;

export function pumpRoot<Out>(reader: Reader<Out | Skip | Rejected>, scope: TaskScope): Observable<Batch<Out>> {
  return new Observable((subscriber) => {
    pumpInto(reader, scope, subscriber);
  });
}

/** The same for an operator that has its subscriber already. */
export function pumpInto<Out>(
  reader: Reader<Out | Skip | Rejected>,
  scope: TaskScope,
  subscriber: Subscriber<Batch<Out>>,
): void {
  const pump = new Pump<Out>(reader, scope, subscriber);
  scope.root.whenRoom(() => {
    pump.run();
  });
  scope.whenReleased(() => {
    pump.run();
  });
  // A boundary ends with its input. Only a source is stopped.
  if (scope.inputs.length === 0) {
    scope.whenEnding(() => {
      pump.end();
    });
  }
  subscriber.add(() => {
    pump.close();
  });
  pump.run();
}

class Pump<Out> {
  private readonly reader: Reader<Out | Skip | Rejected>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private isRunning = false;
  private isReading = false;
  private isDeferred = false;
  private isOver = false;
  private isClosed = false;
  private batchSize = 64;
  /** The time when the clock was last read. */
  private atMs: number | undefined;

  constructor(reader: Reader<Out | Skip | Rejected>, scope: TaskScope, subscriber: Subscriber<Batch<Out>>) {
    this.reader = reader;
    scope.account.watchReading(() => reader.share?.());
    this.scope = scope;
    this.subscriber = subscriber;
  }

  /** Emits as many records as there is room for. It may be called from anywhere, any number of times. */
  run(): void {
    if (this.isRunning || this.isReading || this.isOver || this.isDeferred) return;
    this.isRunning = true;
    try {
      while (this.mayRead()) {
        const startedAtMs = this.scope.clock.monotonicMs();
        const items = this.reader.read(Math.min(this.scope.root.room, this.batchSize));
        if (isPromiseLike(items)) {
          this.atMs = startedAtMs;
          this.wait(items);
          return;
        }
        this.scope.account.meter.worked(startedAtMs, this.scope.clock.monotonicMs());
        // The time includes the read, because a source that makes records slowly lengthens the turn as slow tasks do.
        this.accept(items, startedAtMs);
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.isRunning = false;
      this.rest();
    }
  }

  /** Ends as if the reader were over. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.close();
    this.rest();
    this.scope.root.exhaust();
    this.subscriber.complete();
  }

  close(): void {
    this.isOver = true;
    if (this.isClosed) return;
    this.isClosed = true;
    this.scope.track(Promise.resolve(this.reader.close()));
  }

  private mayRead(): boolean {
    const { scope } = this;
    if (this.isOver || this.isReading || scope.root.room <= 0 || scope.isHeldBack) return false;
    // The first batches may have ended the run before the caller could unsubscribe.
    if (scope.signal.aborted) return false;
    if (!scope.turn.isLong()) return true;
    this.isDeferred = true;
    scope.turn.defer(() => {
      this.isDeferred = false;
      this.run();
    });
    return false;
  }

  private wait(items: PromiseLike<readonly (Out | Skip | Rejected)[] | null>): void {
    this.isReading = true;
    items.then(
      (arrived) => {
        this.isReading = false;
        if (this.isOver) return;
        // Records that settle during this emission must not start another read.
        this.isRunning = true;
        try {
          this.accept(arrived, this.scope.clock.monotonicMs());
        } catch (error) {
          this.fail(error);
        } finally {
          this.isRunning = false;
          this.rest();
        }
        this.run();
      },
      (error: unknown) => {
        this.isReading = false;
        if (!this.isOver) this.fail(error);
      },
    );
  }

  private accept(items: readonly (Out | Skip | Rejected)[] | null, startedAtMs: number): void {
    if (items === null) {
      // A source with several partitions checks each of them.
      const { root, inputs } = this.scope;
      if (inputs.length === 0 && root.partitions === undefined) assertAllRead(this.scope, root.born);
      this.end();
      return;
    }
    if (items.length === 0) return;
    const { scope } = this;
    const { account, past } = scope;
    const count = items.length;
    const first = scope.root.birth(count);
    scope.outputs?.born(first, items);
    const lineages = new Array<number>(count);
    let values = items as readonly (Out | Gone)[];
    let gone = 0;
    let done = 0;
    for (let i = 0; i < count; i++) {
      lineages[i] = first + i;
      const item = items[i];
      const isDone = past?.isDone(first + i) === true;
      if (!isDone && (typeof item !== 'object' || item === null || !isEnded(item))) continue;
      const left = isDone ? GONE : this.refuse(first + i, item as Rejected | Skip);
      if (isDone) done++;
      if (left === GONE) gone++;
      // Only a batch with such an item is copied. Other arrays of the reader are passed on unchanged.
      if (values === items) values = items.slice() as (Out | Gone)[];
      (values as (Out | Gone)[])[i] = left;
    }
    // Only a source counts its output as input. The intake of a boundary has already counted.
    if (scope.inputs.length === 0) account.in += count - done;
    account.out += count - gone;
    account.touch(startedAtMs);
    this.subscriber.next(new Batch<Out>(lineages, values, gone));
    const nowMs = scope.clock.monotonicMs();
    this.atMs = nowMs;
    this.adapt(nowMs - startedAtMs, count);
  }

  /** Sets the meter of a source to busy, blocked or waiting. A boundary is measured by the records it holds. */
  private rest(): void {
    if (this.scope.inputs.length > 0 || this.atMs === undefined) return;
    const { meter } = this.scope.account;
    if (this.isOver) meter.enter(this.scope.clock.monotonicMs(), 'waiting', 0);
    else if (this.isReading) meter.enter(this.atMs, 'busy', 1);
    else meter.enter(this.atMs, 'blocked', 0);
  }

  private refuse(lineage: number, item: Rejected | Skip): Out | Gone {
    if (item instanceof Skip) return this.scope.skip(item.reason);
    return this.scope.giveUp({ lineage, record: item.input, error: item.error, attempts: 1 }) as Out | Gone;
  }

  private adapt(elapsedMs: number, count: number): void {
    if (elapsedMs > BATCH_SLICE_MS) this.batchSize = Math.max(1, Math.floor(this.batchSize / 2));
    else if (count === this.batchSize && elapsedMs < BATCH_SLICE_MS / 4) {
      this.batchSize = Math.min(MAX_BATCH, this.batchSize * 2);
    }
  }

  private fail(error: unknown): void {
    this.isOver = true;
    this.subscriber.error(error);
  }
}

/**
 * Throws MILLRACE_RESUME if a source that is read again ends after fewer records than before. Then its input has
 * changed, and record numbers no longer identify the remaining work.
 */
export function assertAllRead({ task, past }: TaskScope, gave: number): void {
  if (past === undefined || gave >= past.born) return;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `Source '${task}' gave ${gave} records, and ${past.born} in an earlier incarnation of the run: its input is another one. Put it back, or start a new run`,
  );
}

/** `instanceof Ended` for a loop over items. An object that cannot be read is not one. */
function isEnded(item: object): boolean {
  try {
    return (item as Branded)[ENDED_BRAND] === true;
  } catch {
    return false;
  }
}
