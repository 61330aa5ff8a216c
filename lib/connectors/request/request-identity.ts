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

  /**
   * A hash of run, task and numbering, then the number of the record: letters, digits and one hyphen.
   * @param text of the record, if it is known.
   */
  key(lineage: Lineage, text = this.textOf(lineage)): string {
    return `${this.prefix}-${text}`;
  }

  /**
   * The keys of several records, in order, with their common prefix once. A record is recognised in another group too.
   */
  keys(lineages: readonly Lineage[]): string {
    return `${this.prefix}-${lineages.map((lineage) => this.textOf(lineage)).join('.')}`;
  }

  /**
   * The same in every task that processes the record.
   * @param text of the record, if it is known.
   */
  correlationId(lineage: Lineage, text = this.textOf(lineage)): string {
    return `${this.runId}:${text}`;
  }

  /**
   * One trace per record, one span per attempt. The flag "sampled" is not set, because these spans are not exported: an
   * upstream that follows the flag would keep traces without their root.
   */
  traceparent(lineage: Lineage): string {
    const { partition, number } = this.root.identify(lineage);
    const record = (partition === 0 ? '0000' : hex(partition, 4)) + hex(number + 1, 12);
    return `00-${this.tracePrefix}${record}-${this.spanPrefix}${hex(++this.spans >>> 0, 8)}-00`;
  }

  /** The name of the record in keys and ids. */
  textOf(lineage: Lineage): string {
    if (this.derived === undefined) return recordText(this.root.identify(lineage));
    return digest(this.derived(lineage)).slice(0, 24);
  }
}

const ZEROS = '0'.repeat(12);

/** The last `digits` hexadecimal digits of a number. `padStart` costs several times as much. */
function hex(value: number, digits: number): string {
  const text = value.toString(16);
  return text.length < digits ? ZEROS.slice(0, digits - text.length) + text : text.slice(-digits);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
