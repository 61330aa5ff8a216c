/** The dead-letter store of a run without one: dead letters are events and counts, and are not stored. */
import type { DeadLetterStore } from '../../model/ports.js';

export function forgettingStore(): DeadLetterStore {
  return {
    write: () => undefined,
    isFull: false,
    whenReady: () => undefined,
    whenBroken: () => undefined,
    close: () => Promise.resolve(),
  };
}
