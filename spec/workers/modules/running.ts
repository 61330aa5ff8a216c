/** Functions with a state per key, for specs: running texts. What they do about a record is decided by the record. */
import { existsSync, writeFileSync } from 'node:fs';
import { skip, threadFactory, threadStateful, type Aggregate, type Skip, type Stateful } from '#lib/thread.js';

export interface RunningOptions {
  readonly keys: number;
  /** Changes states in place. */
  readonly inPlace?: boolean;
  /** A file that does not exist: the record `ONCE` ends its thread and makes the file; with the file it does not. */
  readonly marker?: string;
  /** Milliseconds of work per record of key 0. */
  readonly slowMs?: number;
}

/** The record that ends its thread once. */
export const ONCE = 10_012;
/** The record that ends its thread. */
export const DEADLY = 10_013;
/** The record that never returns. */
export const ENDLESS = 10_014;

export interface Text {
  readonly text: string;
}

/** The text of all records of the key so far; throws for multiples of 11 and skips multiples of 7. */
function runningTexts({
  keys,
  inPlace = false,
  marker,
  slowMs = 0,
}: RunningOptions): Stateful<number, string, Text, string> {
  return {
    key: (n: number): string => `key ${n % keys}`,
    init: (key: string): Text => ({ text: key }),
    step: (state: Text, n: number): readonly [Text, string | Skip] => {
      if (n === DEADLY) process.exit(0);
      if (n === ENDLESS) for (;;);
      if (n === ONCE && marker !== undefined && !existsSync(marker)) {
        writeFileSync(marker, '');
        process.exit(0);
      }
      if (n % 11 === 0) throw new RangeError(`${n} is refused`);
      const untilMs = performance.now() + (n % keys === 0 ? slowMs : 0);
      while (performance.now() < untilMs);
      const text = `${state.text.slice(-40)} ${n}`;
      const next = inPlace ? Object.assign(state, { text }) : { text };
      return [next, n % 7 === 0 ? skip('a multiple of 7') : `${n}: ${text}`];
    },
  };
}

/** The same functions without a module. */
export const plainTexts = runningTexts;
export const running = threadFactory(import.meta.url, 'running', runningTexts);

/** Sums, with the numbers that its context gives. */
export const drawn = threadStateful(import.meta.url, 'drawn', {
  key: (n: number): number => n % 3,
  init: (): number => 0,
  step: (sum: number, n: number, context) => [sum + n, [context.task, sum + n, context.random()] as const] as const,
});

/** States and outputs that no other thread can get. */
export const uncloneable = threadStateful(import.meta.url, 'uncloneable', {
  init: (): unknown => 0,
  step: (state: unknown, n: number): readonly [unknown, unknown] => [n === 3 ? () => n : state, n === 2 ? () => n : n],
});

/** Lists per key, without `merge`, so that the order of records shows. */
function listsOf({ keys }: { readonly keys: number }): Aggregate<number, number, number[], string> {
  return {
    key: (n: number): number => n % keys,
    init: (): number[] => [],
    add: (list: number[], n: number): number[] => {
      if (n === DEADLY) process.exit(0);
      if (n === ENDLESS) for (;;);
      if (n % 11 === 0) throw new RangeError(`${n} is refused`);
      list.push(n);
      return list;
    },
    finish: (list: readonly number[], key: number): string => `${key}: ${list.join(' ')}`,
  };
}

/** The same functions without a module. */
export const plainLists = listsOf;
export const lists = threadFactory(import.meta.url, 'lists', listsOf);
