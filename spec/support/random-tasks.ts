/** What random graphs are made of: functions whose outcome depends on nothing but a seed and the record. */
import { skip, sourceTask, type Clock, type Skip, type SourceOptions, type SourceTask } from 'millrace';
import { Observable } from 'rxjs';

export type Value = unknown;
export type Work = (value: Value) => Value | Skip;

/** The one skip of all random work, so that the reference can recognise it by identity. */
export const SKIPPED = skip('on purpose');

const FALSY = [0, '', false, null];

export interface WorkTraits {
  readonly name: string;
  readonly salt: number;
  readonly mayThrow: boolean;
  readonly maySkip: boolean;
}

/** A pure function that throws, skips and makes falsy records, by the hash of what it gets. */
export function randomWork({ name, salt, mayThrow, maySkip }: WorkTraits): Work {
  return (value) => {
    const hash = hashOf([salt, value]);
    if (mayThrow && hash % 7 === 0) throw hash % 2 === 0 ? new Error(`no ${hash}`) : undefined;
    if (maySkip && hash % 5 === 0) return SKIPPED;
    return hash % 11 < FALSY.length ? FALSY[hash % 11] : [name, hash];
  };
}

/** Collections come in any order: what is made of them must not depend on it. */
export function asBag(collection: Value): string[] {
  return (collection as Value[]).map((value) => JSON.stringify(value)).sort();
}

/** Array, iterator, async generator or synchronous Observable, by the shape. */
export function randomSource(
  items: readonly number[],
  shape: number,
  options: SourceOptions<number> = {},
): SourceTask<number> {
  const observable = new Observable<number>((subscriber) => {
    for (const item of items) subscriber.next(item);
    subscriber.complete();
  });
  return sourceTask<number>(
    () => (shape === 0 ? items : shape === 1 ? items.values() : shape === 2 ? asynchronously(items) : observable),
    options,
  );
}

export async function* asynchronously<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) {
    if (hashOf(item) % 3 === 0) await null;
    yield item;
  }
}

/** Finishes at once, some microtasks later, in the next turn, or after a timer, by the hash. */
export async function late<T>(hash: number, clock: Clock | undefined, work: () => T): Promise<T> {
  const how = hash % 6;
  if (how === 0) await new Promise((resolve) => setImmediate(resolve));
  else if (how === 1) {
    await new Promise<void>((resolve) => {
      if (clock === undefined) setTimeout(resolve, 1);
      else clock.schedule(hash % 5000, resolve);
    });
  } else for (let i = 0; i < how - 2; i++) await null;
  return work();
}

/** FNV-1a over the JSON of a value. */
export function hashOf(value: Value): number {
  let hash = 2166136261;
  for (const character of JSON.stringify(value)) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  return hash >>> 0;
}
