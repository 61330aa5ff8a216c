/**
 * Keeps the writes of one sink away from the moment of a checkpoint.
 *
 * Guarantees: once `shut` has resolved, no write is in progress, every record that was written has left the task, and
 * no write begins until `open`.
 */
import { Waiter } from '../model/awaitable.js';

export class WriteGate {
  private isClosed = false;
  private isWriting = false;
  private readonly over = new Waiter();
  private readonly listeners: (() => void)[] = [];

  /** Whether no write may begin. */
  get isShut(): boolean {
    return this.isClosed;
  }

  /** Records that a write has started. */
  began(): void {
    this.isWriting = true;
  }

  /** Records that the write is over, and that its records have left the task. */
  ended(): void {
    this.isWriting = false;
    this.over.wake();
  }

  /**
   * Prevents further writes. Returns undefined if no write is in progress, else a promise that resolves when it is
   * over.
   */
  shut(): Promise<void> | undefined {
    this.isClosed = true;
    if (!this.isWriting) return undefined;
    return this.over.wait();
  }

  /** Allows writes again. */
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
