/** The chain in Node's streams: five transforms in object mode. */
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { SideRun } from '../side-run.js';
import { Counter, readings, STEPS, type Reading } from '../sync-chain.js';

export const run: SideRun = async (records) => {
  const counter = new Counter();
  const { scale, shift, halve, limit, flip } = STEPS;
  const end = new Writable({
    objectMode: true,
    write: (reading: Reading, _, done) => {
      counter.add(reading);
      done();
    },
  });
  await pipeline(
    Readable.from(readings(records)),
    through(scale),
    through(shift),
    through(halve),
    through(limit),
    through(flip),
    end,
  );
  return counter.checksum;
};

function through(step: (reading: Reading) => Reading): Transform {
  return new Transform({
    objectMode: true,
    transform: (reading: Reading, _, done) => {
      done(null, step(reading));
    },
  });
}
