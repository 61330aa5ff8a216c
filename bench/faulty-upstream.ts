/** The faults of the upstream of `faults-throughput`: 5 % errors, and one call in a hundred takes ten times as long. */
import type { FaultSet } from '#mock-server/index.js';

const MEDIAN_MS = 20;

export const LATENCY = { latency: MEDIAN_MS } as const;
export const TAIL = { p: 0.015, ms: 9 * MEDIAN_MS } as const;
export const ERRORS: NonNullable<FaultSet['errorRates']> = { 503: 0.03, 500: 0.02 };
export const FAULTY_IN_FLIGHT = 64;
