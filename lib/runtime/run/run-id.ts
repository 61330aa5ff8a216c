/** The ids of runs. */

/** A new id: it sorts by time, is unique without coordination, and is a valid file name. */
export function newRunId(): string {
  const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  return `${stamp}-${globalThis.crypto.randomUUID().slice(0, 8)}`;
}
