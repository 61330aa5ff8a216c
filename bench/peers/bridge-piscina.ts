/** Piscina with one thread and a task per record, as its documentation shows it; many tasks wait at a time. */
import { Piscina } from 'piscina';
import type { SideRun } from '../side-run.js';
import { samples, type Sample } from '../thread-work.js';

/** Enough to keep the thread busy without a pause between tasks. */
const LANES = 256;

export const run: SideRun = async (records) => {
  const pool = new Piscina({
    filename: new URL('../thread-work.js', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
  });
  const source = samples(records);
  let checksum = 0;
  const lane = async (): Promise<void> => {
    for (const sample of source) {
      const { value } = (await pool.run(sample, { name: 'echo' })) as Sample;
      checksum += value;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await pool.destroy();
  return checksum;
};
