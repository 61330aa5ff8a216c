/** Work for the executors of Spark. It imports only what a bundle can contain. */
import { appendFileSync, existsSync } from 'node:fs';
import { skip, threadAggregate, threadFactory, threadFunction, threadSchema, type Skip } from 'millrace/thread';
import { z } from 'zod';

export interface Sale {
  readonly shop: string;
  readonly amount: number;
}

export interface ShopTotal {
  readonly shop: string;
  readonly count: number;
  readonly sum: number;
  readonly amounts: readonly number[];
}

/** A sum that depends on the order of its terms. */
const totals = {
  key: ({ shop }: Sale): string => shop,
  init: () => ({ count: 0, sum: 0, amounts: [] as number[] }),
  add: (state: { count: number; sum: number; amounts: number[] }, { amount }: Sale) => {
    if (amount === 13) throw new Error('unlucky');
    state.count++;
    state.sum = state.sum * 1.000_000_1 + amount / 3;
    if (state.amounts.length < 3) state.amounts.push(amount);
    return state;
  },
  finish: (state: { count: number; sum: number; amounts: number[] }, shop: string): ShopTotal | Skip =>
    shop === 'closed' ? skip('closed') : { shop, ...state },
};

export const shopTotals = threadAggregate(import.meta.url, 'shopTotals', totals);

export const SaleRow = threadSchema(
  import.meta.url,
  'SaleRow',
  z.object({ shop: z.string(), amount: z.number().min(0, 'expected no refund') }),
);

/** The same work under a key that is not that of the rows. */
export const foreignTotals = threadAggregate(import.meta.url, 'foreignTotals', {
  ...totals,
  key: ({ shop }: Sale): string => shop.toUpperCase(),
});

export const negated = threadFactory(
  import.meta.url,
  'negated',
  ({ factor }: { readonly factor: number }) =>
    ({ id }: { readonly id: number }) => {
      // eslint-disable-next-line no-console -- what it prints must not disturb the results
      console.log('seen', id);
      return { id, value: -factor * id };
    },
);

/** The rows as the code received them. */
export const echo = threadFunction(import.meta.url, 'echo', (row: Readonly<Record<string, unknown>>) => row);

export const leaving = threadFunction(import.meta.url, 'leaving', (_row: { readonly id: number }): object => {
  process.exit(0);
});

interface NotedArgs {
  readonly file: string;
  readonly delayMs: number;
  /** For as long as this file exists, each process waits in its thirtieth call. */
  readonly hold?: string;
}

/** Writes each call and its process to a file, and takes a while. */
export const noted = threadFactory(import.meta.url, 'noted', ({ file, delayMs, hold }: NotedArgs) => {
  let calls = 0;
  return async ({ id }: { readonly id: number }): Promise<{ readonly id: number }> => {
    appendFileSync(file, `${process.pid} ${id}\n`);
    calls++;
    do await new Promise((resolve) => setTimeout(resolve, delayMs));
    while (calls === 30 && hold !== undefined && existsSync(hold));
    return { id };
  };
});
