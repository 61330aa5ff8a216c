/**
 * Reads a source in one run: opens it with the first read, skips the records that an earlier incarnation has emitted,
 * and checks each record.
 */
import type { OperatorFunction } from 'rxjs';
import { isPromiseLike, type Awaitable } from '../model/awaitable.js';
import { Rejected, type Batch, type Skip } from '../model/record.js';
import { assertAllRead, pumpRoot } from '../stream/pump-root.js';
import type { Reader } from '../stream/reader.js';
import type { TaskScope } from '../stream/task-scope.js';

/** The number of items that are skipped at a time. */
const READ_OVER = 4096;

/** The functions that open, skip and check the records of one source. */
export interface SourceReading<Out> {
  /** Opens the reader; called by the first read. */
  readonly open: () => Awaitable<Reader<Out | Skip | Rejected>>;
  /**
   * The number of records at the beginning that an earlier incarnation of the run has emitted. Called once the reader
   * is open.
   */
  readonly skip: () => number;
  /** Checks each record; undefined if there is nothing to check. */
  readonly check: ((record: Out | Skip) => Awaitable<Out | Skip>) | undefined;
}

/** The operator of a source; its input is never subscribed to. */
export function readSource<Out>(
  { open, skip, check }: SourceReading<Out>,
  scope: TaskScope,
): OperatorFunction<Batch<unknown>, Batch<Out>> {
  const goOn = (reader: Reader<Out | Skip | Rejected>): Reader<Out | Skip | Rejected> => {
    const had = skip();
    const lost = (scope.past?.lost ?? 0) - scope.root.watermark;
    if (lost > 0) return withLost(reader, lost);
    return had > 0 ? skipping(reader, had, scope) : reader;
  };
  const reader = new LateReader(() => {
    const opened = open();
    return isPromiseLike(opened) ? opened.then(goOn) : goOn(opened);
  });
  return () => pumpRoot<Out>(check === undefined ? reader : checkedReader(reader, check), scope);
}

/**
 * Calls `check` with each item of the reader. An error that it throws rejects that item only. A read ends when all of
 * its items are checked, so order and backpressure are those of the reader.
 */
export function checkedReader<Out>(
  reader: Reader<Out | Skip | Rejected>,
  check: (item: Out | Skip) => Awaitable<Out | Skip>,
): Reader<Out | Skip | Rejected> {
  type Item = Out | Skip | Rejected;
  const checkOne = (item: Item): Awaitable<Item> => {
    if (item instanceof Rejected) return item;
    try {
      const checking = check(item);
      if (!isPromiseLike(checking)) return checking;
      return checking.then(undefined, (error: unknown) => new Rejected(item, error));
    } catch (error) {
      return new Rejected(item, error);
    }
  };
  const checkAll = (items: readonly Item[] | null): Awaitable<readonly Item[] | null> => {
    const checked = items?.map(checkOne) ?? null;
    return checked?.some(isPromiseLike) === true
      ? Promise.all(checked.map((one) => Promise.resolve(one)))
      : (checked as readonly Item[] | null);
  };
  return {
    read: (max) => {
      const items = reader.read(max);
      return isPromiseLike(items) ? items.then(checkAll) : checkAll(items);
    },
    share: () => reader.share?.(),
    close: () => reader.close(),
  };
}

/**
 * First returns `count` placeholders for records that were read by an earlier incarnation and cannot be read again.
 * They are born as gone, so each boundary whose state contains one of them sees its lineage.
 */
function withLost<T>(reader: Reader<T>, count: number): Reader<T> {
  let left = count;
  return {
    read: (max) => {
      if (left === 0) return reader.read(max);
      const lost = Math.min(left, max);
      left -= lost;
      return new Array<T>(lost).fill(undefined as T);
    },
    close: () => reader.close(),
    share: () => reader.share?.(),
  };
}

/** Skips the first `count` items. */
function skipping<T>(reader: Reader<T>, count: number, scope: TaskScope): Reader<T> {
  let left = count;
  return {
    read: async (max) => {
      while (left > 0) {
        const items = await reader.read(Math.min(left, READ_OVER));
        if (items === null) {
          assertAllRead(scope, scope.root.watermark - left);
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
