/**
 * Keeps the writes of one sink away from the moment of a checkpoint.
 *
 * Guarantees: once `shut` has resolved, no write is under way, every record that was written has left the task, and no
 * write begins until `open`.
 */
import { Waiter } from '../execution/waiter.js';

export class WriteGate {
  private isClosed = false;
  private isWriting = false;
  private readonly over = new Waiter();
  private readonly listeners: (() => void)[] = [];

  /** Whether no write may begin. */
  get isShut(): boolean {
    return this.isClosed;
  }

  /** A write is under way. */
  began(): void {
    this.isWriting = true;
  }

  /** The write is over, and what it wrote has left the task. */
  ended(): void {
    this.isWriting = false;
    this.over.wake();
  }

  /** Lets no write begin; undefined where none is under way, else resolves when it is over. */
  shut(): Promise<void> | undefined {
    this.isClosed = true;
    if (!this.isWriting) return undefined;
    return this.over.wait();
  }

  /** Writes may begin again. */
  open(): void {
    if (!this.isClosed) return;
    this.isClosed = false;
    for (const listener of this.listeners) listener();
  }

  /** Calls `listener` each time writes may begin again. */
  whenOpened(listener: () => void): void {
    this.listeners.push(listener);
  }
}
