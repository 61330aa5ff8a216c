/**
 * A `Source` as a task of a workflow.
 *
 * Guarantees: the first read opens the source. Positions are kept only for records that have not settled. `settled` is
 * called only while the source is open.
 */
import { settledOf, type Json, type SettledProgress } from '../model/checkpoint.js';
import { MillraceError, describeValue } from '../model/errors.js';
import type { Dataset } from '../model/events.js';
import type { RunOutcome } from '../model/ports.js';
import type { Lineage, Rejected, Skip } from '../model/record.js';
import type { TouchedFile } from '../model/touched-file.js';
import { checkFunction, checkObject, checkOptions, flag, type OptionRules } from '../options/options.js';
import type { Reader } from '../stream/reader.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { FoldedParts, FoldRequest } from '../tasks/source-parts.js';
import { positionIn, SourceTask, type SourcePosition } from '../tasks/source-task.js';
import type { FoundRecord, DurablePosition } from '../tasks/task.js';
import { TASK_RULES, type TaskOptions } from '../tasks/task-options.js';
import { entry } from '../text/entry.js';
import { assertPosition, assertRead, partitionPastsOf, PartitionedReading } from './partitioned-reading.js';
import type { PartitionProgress, Source, SourcePartition, SourcePast } from './source.js';

/** Options of `connectorSource`. */
export interface ConnectorSourceOptions<Out> extends TaskOptions<never, Out> {
  /** Whether a resumed run can read the source again. Default: `isReplayable` of the source, otherwise true. */
  readonly replayable?: boolean;
}

/** The key of the beginning in the position of a source. */
const BEGINNING = 'start';

const RULES: OptionRules<ConnectorSourceOptions<unknown>> = { ...TASK_RULES, replayable: flag };

/**
 * A task that reads from a source of your own. Throws MILLRACE_INVALID_OPTION if `source` is not a source, and for
 * options that do not fit. A run fails with the same code if the source opens with no partition, or with one twice.
 *
 * @example connectorSource(new RedisList('orders'), { output: Order })
 */
export function connectorSource<Out>(source: Source<Out>, options: ConnectorSourceOptions<Out> = {}): SourceTask<Out> {
  checkObject('the source of a connectorSource', source);
  checkFunction('`open` of a source', (source as { readonly open?: unknown }).open);
  checkOptions('a connectorSource', options, RULES);
  return new ConnectorSource(source, options);
}

class ConnectorSource<Out> extends SourceTask<Out> {
  override readonly kind: string;
  override readonly checkpointFormat: string;
  private readonly source: Source<Out>;
  private scope: TaskScope | undefined;
  private isOpen = false;
  /** True from the time when `open` of the source has resolved until it is closed. */
  private hasOpened = false;
  /** Whether the run makes checkpoints. */
  private isKept = false;
  private start: Lineage = 0;
  /** The result of `start` of the source: the place where the first incarnation began. */
  private beginning: Json | undefined;
  /** The positions from which unsettled records can be read, ascending. */
  private positions: SourcePosition[] = [];
  /** The reading of a source with several partitions, once it is open. */
  private partitioned: PartitionedReading<Out> | undefined;

  constructor(source: Source<Out>, options: ConnectorSourceOptions<Out>) {
    super({ ...options, replayable: options.replayable ?? source.isReplayable ?? true });
    this.source = source;
    this.kind = source.kind ?? 'source';
    this.checkpointFormat = source.checkpointFormat ?? '';
  }

  override get usesExecutor(): boolean {
    return this.source.usesThreads ?? false;
  }

  override get isTransient(): boolean {
    return this.source.isTransient ?? false;
  }

  override get dataset(): Dataset | undefined {
    return this.source.dataset;
  }

  override files(): readonly TouchedFile[] {
    return this.source.files?.() ?? super.files();
  }

  override async identify(): Promise<Json> {
    return (await this.source.identify?.()) ?? null;
  }

  override find(key: string): AsyncIterable<FoundRecord> | Iterable<FoundRecord> {
    return this.source.find?.(key) ?? [];
  }

  override foldParts(fold: FoldRequest, scope: TaskScope): FoldedParts | undefined {
    return this.source.foldParts?.(fold, scope);
  }

  override async open(scope: TaskScope): Promise<void> {
    this.beginning = undefined;
    const { source } = this;
    if (source.start === undefined || source.isPartitioned !== true) return;
    const kept = entry((scope.past?.position ?? {}) as Readonly<Record<string, Json>>, BEGINNING);
    // A run that knows partitions has begun already: a new beginning would not be where it began.
    const isFirst = kept === undefined && partitionPastsOf(scope).length === 0;
    this.beginning = isFirst ? await source.start(scope) : kept;
  }

  protected override read(): never {
    throw new TypeError('A connector has a reader of its own');
  }

  protected override async reader(scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    this.scope = scope;
    this.isOpen = true;
    this.partitioned = undefined;
    const past = pastOf(scope);
    const { source } = this;
    // Without `isPartitioned`, the only partition is 0, and none is added.
    const mayGrow = source.nextPartitions !== undefined && source.isPartitioned === true;
    const partitions = checkPartitions<Out>(
      await source.open(scope, past, this.beginning),
      scope.task,
      mayGrow ? 0 : 1,
    );
    // The run may have ended in the meantime.
    this.hasOpened = this.isOpen;
    const only = this.onlyPartition(partitions, scope);
    if (only !== undefined) return this.readOne(only, past?.position, scope);
    const next = async (): Promise<readonly SourcePartition<Out>[] | null> => {
      const more = (await source.nextPartitions?.()) ?? null;
      return more === null ? null : checkPartitions<Out>(more, scope.task, 0);
    };
    this.partitioned = new PartitionedReading({
      partitions,
      scope,
      isReplayable: this.isRepeatable,
      ...(mayGrow && { next }),
    });
    this.start = scope.root.watermark;
    return this.partitioned;
  }

  private readOne(
    partition: SourcePartition<Out>,
    position: SourcePosition | undefined,
    scope: TaskScope,
  ): Reader<Out | Skip | Rejected> {
    this.start = this.isRepeatable ? startOf(partition, scope) : Math.max(scope.root.watermark, scope.past?.lost ?? 0);
    this.positions = position === undefined ? [] : [position];
    let next = this.start;
    return {
      read: async (max) => {
        const read = await partition.read(max);
        if (read === null) return null;
        assertRead(read, max, scope.task);
        if (read.numbers !== undefined) throw numbersWithoutPartitions(scope.task);
        next += read.records.length;
        if (read.position !== undefined) this.keep(read.position, next, scope);
        return read.records;
      },
      close: () => partition.close?.(),
      share: () => partition.share?.(),
    };
  }

  protected override startOf(): Lineage {
    return this.start;
  }

  protected override positionOf(lineage: Lineage): SourcePosition | undefined {
    const { positions } = this;
    while (positions[1] !== undefined && positions[1].lineage <= lineage) positions.shift();
    const [first] = positions;
    return first !== undefined && first.lineage <= lineage ? first : undefined;
  }

  override persist(scope: TaskScope): Json | undefined {
    this.isKept = true;
    const own = this.positionsIn(scope);
    if (this.beginning === undefined) return own;
    return { ...(own as Readonly<Record<string, Json>> | undefined), [BEGINNING]: this.beginning };
  }

  private positionsIn(scope: TaskScope): Json | undefined {
    if (this.partitioned !== undefined) return this.partitioned.allPositions();
    // The source is not open yet.
    if (scope.root.partitions !== undefined) return scope.past?.position;
    return super.persist(scope) ?? positionIn(scope);
  }

  override async checkpointed({ settled }: DurablePosition): Promise<void> {
    if (this.hasOpened) await this.source.settled?.(this.partitionsIn(settled));
  }

  override async close(outcome: RunOutcome): Promise<void> {
    if (!this.isOpen) return;
    const { hasOpened } = this;
    this.isOpen = this.hasOpened = false;
    try {
      const isWell = outcome === 'completed' || outcome === 'drained';
      if (!this.isKept && isWell && hasOpened) await this.source.settled?.(this.everything());
    } finally {
      await this.source.close?.(outcome);
    }
  }

  /** The settled records at the end of a run that completed or drained: all of them. */
  private everything(): PartitionProgress[] {
    return this.partitionsIn(settledOf((this.scope as TaskScope).root.progress(), []));
  }

  private partitionsIn(settled: SettledProgress): PartitionProgress[] {
    if (this.partitioned !== undefined) return this.partitioned.settled(settled);
    const { watermark, done } = settled;
    return [{ partition: 0, watermark, done }];
  }

  /** The partition of a source without partitions; undefined if the records need a partition for their identity. */
  private onlyPartition(
    partitions: readonly SourcePartition<Out>[],
    { root }: TaskScope,
  ): SourcePartition<Out> | undefined {
    const [first, another] = partitions;
    const isDivided = this.source.isPartitioned === true || root.partitions !== undefined;
    return isDivided || another !== undefined || first?.partition !== 0 ? undefined : first;
  }

  private keep(position: SourcePosition, next: Lineage, { task, root }: TaskScope): void {
    assertPosition(position, next, task);
    this.positions.push(position);
    // Drops all positions before the newest one at or before the watermark, because they will never be needed.
    this.positionOf(root.watermark);
  }
}

function pastOf(scope: TaskScope): SourcePast | undefined {
  if (scope.past === undefined) return undefined;
  const partitions = partitionPastsOf(scope);
  if (scope.root.partitions === undefined)
    return { position: positionIn(scope), from: scope.root.watermark, partitions };
  const first = partitions.find(({ partition }) => partition === 0);
  return { position: first?.position, from: first?.from ?? 0, partitions };
}

function checkPartitions<Out>(opened: unknown, task: string, least: number): readonly SourcePartition<Out>[] {
  const partitions = Array.isArray(opened) ? (opened as readonly SourcePartition<Out>[]) : [];
  const numbers = partitions.map(({ partition }) => partition);
  const isEach = numbers.every((number) => Number.isSafeInteger(number) && number >= 0);
  const isEnough = Array.isArray(opened) && partitions.length >= least;
  if (isEnough && isEach && new Set(numbers).size === numbers.length) return partitions;
  const got = Array.isArray(opened) ? `${partitions.length} (${numbers.join(', ')})` : describeValue(opened);
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected source '${task}' to open with ${least === 0 ? 'partitions' : 'at least one partition'}, each with a number of its own from 0 on, got ${got}`,
  );
}

function numbersWithoutPartitions(task: string): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected source '${task}' to read records without \`numbers\`: set \`isPartitioned: true\` on a source that numbers its records itself`,
  );
}

function startOf({ from = 0 }: SourcePartition<unknown>, { task, root }: TaskScope): Lineage {
  if (Number.isSafeInteger(from) && from >= 0 && from <= root.watermark) return from;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`from\` of source '${task}' to be a number from 0 to ${root.watermark}, the first record that the run needs, got ${describeValue(from)}`,
  );
}
