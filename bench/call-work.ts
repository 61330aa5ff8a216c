/** The requests of all sides that call an upstream, and the sum of their answers. */
import type { Features } from '#mock-server/index.js';

export interface Prediction {
  readonly prediction: number;
}

/** Requests in flight over HTTP, and calls over WebSocket one by one and in batches. */
export const HTTP_IN_FLIGHT = 64;
export const PIPELINED_IN_FLIGHT = 256;
export const BATCHED_IN_FLIGHT = 512;
export const BATCH = 64;

export function features(id: number): Features {
  return {
    AVG_POINTS_BOUGHT: 50 + (id % 100),
    AVG_REVENUE_USD: 20,
    LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: 100,
    LAST_3_TRANSACTIONS_AVG_REVENUE_USD: 40,
    PCT_BUY_TRANSACTIONS: 0.5,
    PCT_GIFT_TRANSACTIONS: 0.25,
    PCT_REDEEM_TRANSACTIONS: 0.25,
    DAYS_SINCE_LAST_TRANSACTION: 1189,
  };
}

export function* membersToAsk(count: number): Generator<Features, void, undefined> {
  for (let id = 0; id < count; id++) yield features(id);
}

/** A sum that does not depend on the order of the answers. */
export class Sum {
  private hundredths = 0;

  add({ prediction }: Prediction): void {
    this.hundredths += Math.round(prediction * 100);
  }

  get checksum(): number {
    return this.hundredths;
  }
}

/** Runs `width` async loops over one iterator of numbers below `count`. */
export async function loops(count: number, width: number, ask: (id: number) => Promise<void>): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < count) await ask(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, loop));
}
