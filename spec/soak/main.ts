/**
 * `npm run soak -- --records 10000000`: prints the figures as one line of JSON; exit code 1 where one is off its goal.
 */
import { parseArgs } from 'node:util';
import { soak } from './soak.js';

const { values } = parseArgs({ options: { records: { type: 'string' } } });
const figures = await soak(Number(values.records ?? 10_000_000));
console.log(JSON.stringify(figures));
const { records, written, deadLettered, slopeMiB, rssRatio } = figures;
process.exitCode = written + deadLettered === records && slopeMiB <= 1 && rssRatio <= 1.3 ? 0 : 1;
