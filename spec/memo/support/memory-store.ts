/** A store in memory that counts, and that can be made to fail. */
import type { MemoStore } from 'millrace';

export interface TestStore extends MemoStore {
  readonly entries: Map<string, string>;
  readonly gets: string[];
  /** The most calls that were pending at once. */
  readonly mostPending: number;
}

/** @param trouble is awaited before each call; what it throws is the error of the store. */
export function memoryStore(trouble: (call: 'get' | 'put', number: number) => unknown = () => undefined): TestStore {
  const entries = new Map<string, string>();
  const gets: string[] = [];
  let calls = 0;
  let pending = 0;
  let mostPending = 0;
  const call = async <T>(kind: 'get' | 'put', work: () => T): Promise<T> => {
    pending++;
    mostPending = Math.max(mostPending, pending);
    try {
      await trouble(kind, calls++);
      return work();
    } finally {
      pending--;
    }
  };
  return {
    entries,
    gets,
    get mostPending() {
      return mostPending;
    },
    get: (key) =>
      call('get', () => {
        gets.push(key);
        return entries.get(key);
      }),
    put: (key, entry) =>
      call('put', () => {
        entries.set(key, entry);
      }),
  };
}
