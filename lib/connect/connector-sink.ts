/**
 * A `Sink` as a task of a workflow.
 *
 * Guarantees: those of `Sink`. The task emits a record only after the write that contains it has resolved.
 */
import type { OperatorFunction } from 'rxjs';
import { isPromiseLike } from '../model/awaitable.js';
import type { Json } from '../model/checkpoint.js';
import type { Dataset } from '../model/events.js';
import { describeThrown, MillraceError } from '../model/errors.js';
import type { Awaitable, LineageId, RunOutcome } from '../model/ports.js';
import type { Batch, Lineage } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import { checkFunction, checkObject, checkOptions, flag, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { RefusedRow, WriteResult } from '../stream/write-batches.js';
import { WriteGate } from '../stream/write-gate.js';
import { checkInputEventually } from '../tasks/record-step.js';
import { BaseTask, type FoundRecord, type Operators, type DurablePosition, type Task } from '../tasks/task.js';
import { TASK_RULES, type TaskOptions } from '../tasks/task-options.js';
import type { Sink, StoredRows } from './sink.js';

/** Options of `connectorSink`. */
export interface ConnectorSinkOptions<In> extends TaskOptions<In, In> {
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
}

const RULES: OptionRules<ConnectorSinkOptions<unknown>> = { ...TASK_RULES, ordered: flag };

/**
 * A task that writes to a sink of your own and emits the records that it has written. Throws MILLRACE_INVALID_OPTION if
 * `sink` is not a sink, and for options that do not fit.
 *
 * @example connectorSink(new Table('orders'), { ordered: false })
 */
export function connectorSink<In, Row = In>(sink: Sink<In, Row>, options: ConnectorSinkOptions<In> = {}): Task<In, In> {
  checkObject('the sink of a connectorSink', sink);
  const { open, write } = sink as { readonly open?: unknown; readonly write?: unknown };
  checkFunction('`open` of a sink', open);
  checkFunction('`write` of a sink', write);
  checkOptions('a connectorSink', options, RULES);
  return new ConnectorSink(sink, options);
}

class ConnectorSink<In, Row> extends BaseTask<In, In> {
  override readonly kind: string;
  override readonly checkpointFormat: string;
  override readonly isDurable = true;
  /** It emits the records that it has written. */
  override readonly isDeterministic = true;
  override readonly hasCommits: boolean;
  private readonly sink: Sink<In, Row>;
  private readonly ordered: boolean;
  private gate = new WriteGate();
  private stored: StoredRows | undefined;
  private isOpen = false;
  /** Whether the run makes checkpoints. */
  private isKept = false;

  constructor(sink: Sink<In, Row>, options: ConnectorSinkOptions<In>) {
    super(options);
    this.sink = sink;
    this.kind = sink.kind ?? 'sink';
    this.checkpointFormat = sink.checkpointFormat ?? '';
    this.hasCommits = sink.commit !== undefined;
    this.ordered = options.ordered ?? true;
  }

  override get isShareable(): boolean {
    return this.sink.isShareable ?? false;
  }

  override get dataset(): Dataset | undefined {
    return this.sink.dataset;
  }

  override files(): readonly TouchedFile[] {
    return this.sink.files?.() ?? super.files();
  }

  override find(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord> {
    return this.sink.find?.(key) ?? [];
  }

  enlist(transaction: object): void {
    this.sink.enlist?.(transaction);
  }

  override check(position?: Json): Awaitable<void> {
    return this.sink.check?.(position);
  }

  override async open(scope: TaskScope): Promise<void> {
    const { past } = scope;
    this.isOpen = true;
    this.isKept = false;
    this.gate = new WriteGate();
    this.sink.follow?.(() => scope.root.channels);
    this.stored = await this.sink.open(scope, past && { prepared: past.position, isAnew: past.isAnew });
  }

  override pause(): Promise<void> | undefined {
    return this.gate.shut();
  }

  override async persist(): Promise<Json | undefined> {
    this.isKept = true;
    const prepared = await this.sink.prepare?.();
    // There is no commit to wait for, so the next rows belong to the next checkpoint.
    if (this.sink.commit === undefined) this.gate.open();
    return prepared;
  }

  override async checkpointed({ position }: DurablePosition): Promise<void> {
    if (position !== undefined) await this.sink.commit?.(position);
    this.gate.open();
  }

  override async close(outcome: RunOutcome): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    let ended = outcome;
    try {
      const isWell = outcome === 'completed' || outcome === 'drained';
      if (isWell && !this.isKept) await this.commitAll();
    } catch (error) {
      ended = 'failed';
      throw error;
    } finally {
      await this.sink.close?.(ended);
    }
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<In>> {
    const { sink, gate, stored } = this;
    const check = checkInputEventually<In>(this.options.input, scope.task);
    // The rows of a sink without `encode` are records.
    const encode = (record: In, lineage: Lineage): Row =>
      sink.encode === undefined ? (record as unknown as Row) : sink.encode(record, lineage);
    const { numbering: root, root: ledger } = scope;
    const identify = (lineage: Lineage): LineageId => ({ ...scope.idOf(lineage, ledger), root });
    return operators.writeBatches<In, Row>(
      {
        encode: (record, lineage) => {
          const checking = check(record);
          return isPromiseLike(checking) ? checking.then((one) => encode(one, lineage)) : encode(checking, lineage);
        },
        write: (rows, lineages) => {
          scope.assertOwned?.();
          const isNamed = identify(lineages[0] as Lineage).name !== undefined;
          if (ledger.partitions === undefined) {
            const names = isNamed ? { names: lineages.map((lineage) => scope.identityOf(lineage, ledger)) } : {};
            return named(scope.task, () => sink.write({ root, partition: 0, numbers: lineages, rows, ...names }));
          }
          const groups = partitioned(rows, lineages.map(identify), this.ordered);
          return named(scope.task, () => writeEach(sink, groups));
        },
        ordered: this.ordered,
        gate,
        ...(stored && { isStored: (number: number) => stored.has(identify(number)) }),
      },
      scope,
    );
  }

  /** Commits everything once, at the end of a run without checkpoints. */
  private async commitAll(): Promise<void> {
    if (this.sink.commit === undefined) return;
    const prepared = await this.sink.prepare?.();
    if (prepared !== undefined) await this.sink.commit(prepared);
  }
}

/** Calls the sink. Adds the name of the task to an error of user code. */
function named(task: string, write: () => WriteResult): WriteResult {
  try {
    const writing = write();
    return isPromiseLike(writing)
      ? writing.then(undefined, (error: unknown) => Promise.reject(blamed(task, error)))
      : writing;
  } catch (error) {
    throw blamed(task, error);
  }
}

function blamed(task: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError('MILLRACE_TASK', `Task '${task}' could not write: ${describeThrown(error)}`, {
    cause: error,
  });
}

/** The rows of one partition. */
interface PartitionRows<Row> {
  readonly root: string;
  readonly partition: number;
  readonly numbers: Lineage[];
  readonly rows: Row[];
  /** The index of each row among the rows of all partitions. */
  readonly indices: number[];
}

/**
 * Groups the rows by partition and keeps their order. With `isOrdered` the order over all partitions is kept too, so a
 * partition may have several groups.
 */
function partitioned<Row>(rows: readonly Row[], ids: readonly LineageId[], isOrdered: boolean): PartitionRows<Row>[] {
  const groups: PartitionRows<Row>[] = [];
  const latest = new Map<number, PartitionRows<Row>>();
  ids.forEach(({ root, partition, number }, i) => {
    let group = isOrdered ? groups.at(-1) : latest.get(partition);
    if (group?.partition !== partition) {
      group = { root, partition, numbers: [], rows: [], indices: [] };
      groups.push(group);
      latest.set(partition, group);
    }
    group.numbers.push(number);
    group.rows.push(rows[i] as Row);
    group.indices.push(i);
  });
  return groups;
}

/** Writes the groups one after another. */
async function writeEach<Row>(
  sink: Sink<never, Row>,
  groups: readonly PartitionRows<Row>[],
): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = [];
  for (const { indices, ...group } of groups) {
    const some = await sink.write(group);
    for (const { row, error } of some ?? []) refused.push({ row: indices[row] as number, error });
  }
  return refused;
}
