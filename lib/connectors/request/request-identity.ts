/**
 * The identity of a call: idempotency key, correlation id and W3C trace context.
 *
 * Guarantees: the key is the same on every attempt of a record and in every incarnation of a resumed run. It differs between
 * records, tasks and runs. Nothing here computes a hash per record.
 */
import { createHash } from 'node:crypto';
import type { Lineage } from '../../connect/index.js';

export class CallIdentity {
  readonly runId: string;
  private readonly prefix: string;
  private readonly tracePrefix: string;
  private readonly spanPrefix: string;
  private spans = 0;

  /** @param numbering the part of a record's name besides its lineage, from `TaskScope`. */
  constructor(runId: string, task: string, numbering: string) {
    this.runId = runId;
    // The lengths separate the parts: ('a', 'bc') is not ('ab', 'c').
    this.prefix = digest(`${runId.length}:${runId}${task.length}:${task}${numbering}`).slice(0, 24);
    this.tracePrefix = digest(`${runId.length}:${runId}${numbering}`).slice(0, 16);
    this.spanPrefix = digest(task).slice(0, 8);
  }

  /** A hash of run, task and numbering, then the lineage: letters, digits and one hyphen. */
  key(lineage: Lineage): string {
    return `${this.prefix}-${lineage}`;
  }

  /** The keys of several records, in order, with their common prefix once. A record is recognised in another group too. */
  keys(lineages: readonly Lineage[]): string {
    return `${this.prefix}-${lineages.join('.')}`;
  }

  /** The same in every task that processes the record. */
  correlationId(lineage: Lineage): string {
    return `${this.runId}:${lineage}`;
  }

  /**
   * One trace per record, one span per attempt. The flags do not say "sampled", because nobody exports these spans: an upstream
   * that follows the flag would keep traces that lack their root.
   */
  traceparent(lineage: Lineage): string {
    const trace = this.tracePrefix + (lineage + 1).toString(16).padStart(16, '0');
    const span = this.spanPrefix + (++this.spans >>> 0).toString(16).padStart(8, '0');
    return `00-${trace}-${span}-00`;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
