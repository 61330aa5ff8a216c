/** The work of the chain of five synchronous tasks, as plain functions that both sides call. */

export interface Reading {
  readonly id: number;
  readonly value: number;
}

export function* readings(count: number): Generator<Reading, void, undefined> {
  for (let id = 0; id < count; id++) yield { id, value: id % 1000 };
}

/** Five small steps in whole numbers, each giving a new record of the same shape, as mappings are written. */
export const STEPS = {
  scale: ({ id, value }: Reading): Reading => ({ id, value: value * 3 }),
  shift: ({ id, value }: Reading): Reading => ({ id, value: value + 11 }),
  halve: ({ id, value }: Reading): Reading => ({ id, value: value >> 1 }),
  limit: ({ id, value }: Reading): Reading => ({ id, value: value > 1000 ? 1000 : value }),
  flip: ({ id, value }: Reading): Reading => ({ id, value: value ^ 1 }),
} as const;

/** The end of the chain: sees every record. */
export class Counter {
  private count = 0;
  private sum = 0;

  add({ id, value }: Reading): void {
    this.count++;
    this.sum += value + (id & 1);
  }

  get checksum(): number {
    return this.sum + this.count;
  }
}
