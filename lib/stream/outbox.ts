/**
 * A bounded buffer for pushed records, which wait here until the root has credits. It reads like any other `Reader`.
 *
 * Guarantees: it holds at most `capacity` items. The overflow policy handles further items, and none is lost silently:
 * `error` fails the run, and the dropping policies count each record as skipped, with the reason. Items that were
 * pushed before a failure are read before it.
 */
import { MillraceError } from '../model/errors.js';
import { Waiter } from '../model/awaitable.js';
import { skip, type Skip } from '../model/record.js';
import type { Reader } from './reader.js';

/** What happens to a record that arrives while the buffer is full. */
export type OverflowPolicy = 'error' | 'drop-newest' | 'drop-oldest';

export interface OutboxOptions {
  /** The maximum number of waiting items. */
  readonly capacity: number;
  readonly overflow: OverflowPolicy;
  /** The task, for messages. */
  readonly name: string;
  /** The advice in the message of an overflow. Default: advice for code that pushes. */
  readonly advice?: string;
  /** Called after a read has removed items. */
  readonly onRead?: () => void;
}

const PUSHERS_ADVICE =
  "Raise `buffer`, pull instead of push, or name an overflow policy ('drop-newest', 'drop-oldest')";

export class Outbox<T> implements Reader<T | Skip> {
  readonly capacity: number;
  private readonly options: OutboxOptions;
  private items: T[] = [];
  private head = 0;
  /** The number of dropped items not yet reported. Each is born and skipped, so that the counts reconcile. */
  private dropped = 0;
  private isOver = false;
  private failure: { readonly error: unknown } | undefined;
  private readonly waiter = new Waiter();

  constructor(options: OutboxOptions) {
    this.options = options;
    this.capacity = options.capacity;
  }

  get size(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    if (this.isOver || this.failure !== undefined) return;
    const { capacity, overflow, name, advice = PUSHERS_ADVICE } = this.options;
    if (this.size >= capacity) {
      if (overflow === 'error') {
        // The run fails at once: the consumers are too slow to read what waits here.
        this.items = [];
        this.head = 0;
        this.fail(
          new MillraceError(
            'MILLRACE_BUFFER_OVERFLOW',
            `'${name}' pushed more than ${capacity} records ahead of its consumers. ${advice}`,
          ),
        );
        return;
      }
      this.dropped++;
      if (overflow === 'drop-newest') {
        this.waiter.wake();
        return;
      }
      this.shift();
    }
    this.items.push(item);
    this.waiter.wake();
  }

  complete(): void {
    this.isOver = true;
    this.waiter.wake();
  }

  fail(error: unknown): void {
    this.failure ??= { error };
    this.waiter.wake();
  }

  read(max: number): readonly (T | Skip)[] | null | Promise<readonly (T | Skip)[] | null> {
    const batch: (T | Skip)[] = [];
    while (batch.length < max && this.dropped > 0) {
      batch.push(skip(`overflow: ${this.options.overflow}`));
      this.dropped--;
    }
    while (batch.length < max && this.size > 0) batch.push(this.shift());
    if (batch.length > 0) {
      this.options.onRead?.();
      return batch;
    }
    if (this.failure !== undefined) throw this.failure.error;
    if (this.isOver) return null;
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isOver = true;
    this.items = [];
    this.head = 0;
    this.waiter.wake();
  }

  private shift(): T {
    const item = this.items[this.head] as T;
    this.head++;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= 1024 && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}
