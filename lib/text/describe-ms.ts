/** Durations as text. */

/** 250 becomes `250 ms`, 30000 becomes `30 s`. */
export function describeMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever';
  return ms >= 1000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms * 10) / 10} ms`;
}
