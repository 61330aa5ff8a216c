/** Lengths of time as people write them: a whole number and `s`, `m`, `h` or `d` (24 hours). */
const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The milliseconds of `30s`, `15m`, `6h` or `1d`; undefined if it is not written so. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
