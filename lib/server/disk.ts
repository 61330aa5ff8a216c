/** Space on the disk of the runs. */
import { statfsSync } from 'node:fs';

/** With less free space than this, no run starts: those at work, and the store, need it. */
const LEAST_FREE = 256 * 2 ** 20;

/** The reason why no run may start, in one sentence; '' if there is space, or if the system does not report it. */
export function diskObstacle(folder: string, facts: typeof statfsSync = statfsSync): string {
  try {
    const { bavail, bsize } = facts(folder);
    const free = bavail * bsize;
    if (free >= LEAST_FREE) return '';
    const megabytes = Math.floor(free / 2 ** 20);
    return `No run starts while the disk has less than 256 MB of free space: it has ${megabytes} MB. Remove files, or keep runs for a shorter time (serve --keep)`;
  } catch {
    return '';
  }
}
