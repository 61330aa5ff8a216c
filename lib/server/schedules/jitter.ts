/** The delay of a run after its tick: always the same for one tick, and spread evenly over all ticks. */
import { createHash } from 'node:crypto';
import { parseDuration } from '../../text/quantities.js';

/** Milliseconds from 0 up to the jitter. */
export function jitterOf(schedule: string, tick: number, jitter: string | undefined): number {
  const most = jitter === undefined ? 0 : (parseDuration(jitter) ?? 0);
  const digest = createHash('sha256').update(`${schedule} ${tick}`).digest();
  return Math.floor((digest.readUIntBE(0, 6) / 2 ** 48) * most);
}
