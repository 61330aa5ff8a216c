/** The upstream of `adaptive-vs-best-fixed`: works on so many calls at full speed, and tells nobody. */
import type { Faults } from '#mock-server/index.js';

export const LIMITED: Faults = { concurrencyLimit: { limit: 24, serviceMs: 15, growth: 1.5 } };
/** The fixed settings that are tried to find the best. */
export const FIXED: readonly number[] = [4, 8, 16, 24, 32, 48, 96];
