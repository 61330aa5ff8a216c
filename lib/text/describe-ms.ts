/** Spans of time in words. */

/** 250 as `250 ms`, 30000 as `30 s`. */
export function describeMs(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever';
  return ms >= 1000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms * 10) / 10} ms`;
}
