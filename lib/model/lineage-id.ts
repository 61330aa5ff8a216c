/**
 * The identity of a record as text, for messages, keys and the command line.
 *
 * Guarantees: different records of a root have different texts; the text of a record is the same in each incarnation of
 * a run, and does not change when a source with one partition gets more.
 */
import type { LineageId } from './ports.js';

/** The number of a record: `17`, or `3p17` in partition 3. Letters and digits only. Part of idempotency keys. */
export function recordText({ partition, number }: Pick<LineageId, 'partition' | 'number'>): string {
  return partition === 0 ? String(number) : `${partition}p${number}`;
}

/** The name of a record: `Orders#17`, or `Orders#3p17` in partition 3. */
export function recordName(id: LineageId): string {
  return `${id.root}#${recordText(id)}`;
}
