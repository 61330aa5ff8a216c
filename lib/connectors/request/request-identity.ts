/**
 * The identity of a call: idempotency key, correlation id and W3C trace context.
 *
 * Guarantees: the key is the same on every attempt of a record and in every incarnation of a resumed run. It differs
 * between records, tasks and runs. Nothing here computes a hash per record of a source.
 */
import { createHash } from 'node:crypto';
import { recordText, type Lineage, type LineageId, type TaskScope } from '../../connect/index.js';

/** The scope of the calls of one task: its run, its name, and the names of its records. */
export interface CallScope extends Pick<TaskScope, 'runId' | 'task' | 'numbering' | 'outputs' | 'identityOf'> {
  readonly root: {
    /** The identity of a lineage in flight. */
    identify(lineage: Lineage): Pick<LineageId, 'partition' | 'number'>;
  };
}

export class CallIdentity {
  readonly runId: string;
  private readonly prefix: string;
  private readonly tracePrefix: string;
  private readonly spanPrefix: string;
  private readonly root: CallScope['root'];
  private readonly derived: ((lineage: Lineage) => string) | undefined;
  private spans = 0;

  constructor(scope: CallScope) {
    const { runId, task, numbering, root, outputs } = scope;
    this.runId = runId;
    this.root = root;
    // Behind a boundary whose state is stored, the number of a record does not identify it.
    if (outputs !== undefined) this.derived = (lineage) => scope.identityOf(lineage);
    // The lengths separate the parts: ('a', 'bc') is not ('ab', 'c').
    this.prefix = digest(`${runId.length}:${runId}${task.length}:${task}${numbering}`).slice(0, 24);
    this.tracePrefix = digest(`${runId.length}:${runId}${numbering}`).slice(0, 16);
    this.spanPrefix = digest(task).slice(0, 8);
  }

  /** A hash of run, task and numbering, then the number of the record: letters, digits and one hyphen. */
  key(lineage: Lineage): string {
    return `${this.prefix}-${this.textOf(lineage)}`;
  }

  /**
   * The keys of several records, in order, with their common prefix once. A record is recognised in another group too.
   */
  keys(lineages: readonly Lineage[]): string {
    return `${this.prefix}-${lineages.map((lineage) => this.textOf(lineage)).join('.')}`;
  }

  /** The same in every task that processes the record. */
  correlationId(lineage: Lineage): string {
    return `${this.runId}:${this.textOf(lineage)}`;
  }

  /**
   * One trace per record, one span per attempt. The flag "sampled" is not set, because these spans are not exported: an
   * upstream that follows the flag would keep traces without their root.
   */
  traceparent(lineage: Lineage): string {
    const { partition, number } = this.root.identify(lineage);
    const trace = this.tracePrefix + hex(partition, 4) + hex(number + 1, 12);
    const span = this.spanPrefix + (++this.spans >>> 0).toString(16).padStart(8, '0');
    return `00-${trace}-${span}-00`;
  }

  private textOf(lineage: Lineage): string {
    if (this.derived === undefined) return recordText(this.root.identify(lineage));
    return digest(this.derived(lineage)).slice(0, 24);
  }
}

/** The last `digits` hexadecimal digits of a number. */
function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0').slice(-digits);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
