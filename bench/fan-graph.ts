/** A fan: many asynchronous tasks side by side, each of which receives every record. */
export const FAN_WIDTH = 2000;

/** Counts the calls, which is the checksum of each side. */
export class Calls {
  count = 0;
  readonly task = async (record: number): Promise<number> => {
    await Promise.resolve();
    this.count++;
    return record;
  };
}
