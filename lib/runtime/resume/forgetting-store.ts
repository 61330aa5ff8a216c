/** Dead letters of a run that was given no store: they are events and counts, and nothing keeps them. */
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
