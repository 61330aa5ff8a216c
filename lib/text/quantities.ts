/** Lengths of time and amounts of memory as text. */

/** 250 becomes `250 ms`, 30000 becomes `30 s`. */
export function describeMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever';
  return ms >= 1000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms * 10) / 10} ms`;
}

/** The units in which people write lengths of time; a day has 24 hours. */
const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The milliseconds of `30s`, `15m`, `6h` or `1d`; undefined if it is not written so. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}

/** The units in which people write amounts of memory. */
const UNITS_BYTES = { MB: 2 ** 20, GB: 2 ** 30 } as const;

/** The bytes of `512MB` or `2GB`, with units of 1024; undefined if it is not written so. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,6})(MB|GB)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(number) * UNITS_BYTES[unit as keyof typeof UNITS_BYTES];
}
