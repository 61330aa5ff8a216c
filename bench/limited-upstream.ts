/**
 * The upstream of `adaptive-vs-best-fixed`: it handles a limited number of calls at full speed, and clients do not know
 * the limit.
 */
import type { Faults } from '#mock-server/index.js';

export const LIMITED: Faults = { concurrencyLimit: { limit: 24, serviceMs: 15, growth: 1.5 } };
/** The fixed settings that are tried to find the best. */
export const FIXED: readonly number[] = [4, 8, 16, 24, 32, 48, 96];
