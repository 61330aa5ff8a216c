/**
 * Open requests to threads to check the exports of modules.
 *
 * Guarantees: each request is answered once, even if its thread dies.
 */
import { unpackError, type WireError } from './error-wire.js';
import type { Thread } from './thread.js';

interface Check {
  readonly thread: Thread;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Checks {
  private readonly open = new Map<number, Check>();

  ask(id: number, thread: Thread, post: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.open.set(id, { thread, resolve, reject });
      post();
    });
  }

  answer(id: number, error: WireError | undefined): void {
    const check = this.open.get(id);
    this.open.delete(id);
    if (error === undefined) check?.resolve();
    else check?.reject(unpackError(error));
  }

  /** Rejects the requests to one thread, or all requests. */
  fail(error: unknown, thread?: Thread): void {
    for (const [id, check] of this.open) {
      if (thread !== undefined && check.thread !== thread) continue;
      this.open.delete(id);
      check.reject(error);
    }
  }
}
