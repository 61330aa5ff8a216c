/** Amounts of memory as text. */

const UNITS = { MB: 2 ** 20, GB: 2 ** 30 } as const;

/** The bytes of `512MB` or `2GB`, with units of 1024; undefined if it is not written so. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,6})(MB|GB)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(number) * UNITS[unit as keyof typeof UNITS];
}
