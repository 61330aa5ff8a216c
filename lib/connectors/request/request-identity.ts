/**
 * How an upstream recognises a call: an idempotency key, a correlation id, and a W3C trace context.
 *
 * Promises: the key is the same on every attempt of a record and in every resumed life of the run, and differs between
 * records, tasks and runs; nothing here costs a hash per record.
 */
import { createHash } from 'node:crypto';
import type { Lineage } from '../../model/record.js';

export class CallIdentity {
  readonly runId: string;
  private readonly prefix: string;
  private readonly tracePrefix: string;
  private readonly spanPrefix: string;
  private spans = 0;

  /** @param numbering what names the records together with their lineages, as `TaskScope` says it. */
  constructor(runId: string, task: string, numbering: string) {
    this.runId = runId;
    // Lengths keep the parts apart: ('a', 'bc') is not ('ab', 'c').
    this.prefix = digest(`${runId.length}:${runId}${task.length}:${task}${numbering}`).slice(0, 24);
    this.tracePrefix = digest(`${runId.length}:${runId}${numbering}`).slice(0, 16);
    this.spanPrefix = digest(task).slice(0, 8);
  }

  /** Hash of run, task and numbering, then the lineage: letters, digits and one hyphen. */
  key(lineage: Lineage): string {
    return `${this.prefix}-${lineage}`;
  }

  /** The keys of several records, in order, with the part they share written once: each item can be told again in another group. */
  keys(lineages: readonly Lineage[]): string {
    return `${this.prefix}-${lineages.join('.')}`;
  }

  /** The same in all tasks that a record passes. */
  correlationId(lineage: Lineage): string {
    return `${this.runId}:${lineage}`;
  }

  /** One trace a record, one span an attempt. */
  traceparent(lineage: Lineage): string {
    const trace = this.tracePrefix + (lineage + 1).toString(16).padStart(16, '0');
    const span = this.spanPrefix + (++this.spans >>> 0).toString(16).padStart(8, '0');
    return `00-${trace}-${span}-01`;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
