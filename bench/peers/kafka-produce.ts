/** Writes records by the raw produce request of the client package, a thousand at a time. */
import { newTopic, rowsFrom, sumTo, withClient, writerTo } from '../kafka-work.js';
import type { SideRun } from '../side-run.js';

const PER_WRITE = 1000;

export const run: SideRun = async (records) => {
  const name = await newTopic();
  await withClient(async (client) => {
    const writer = writerTo(client, await client.describe(name));
    for (let n = 0; n < records; n += PER_WRITE) await writer.write(rowsFrom(n, Math.min(PER_WRITE, records - n)), 0);
  });
  return sumTo(records);
};
