/**
 * A `Source` as a task of a workflow.
 *
 * Guarantees: the first read opens the source. Positions are kept only for records that have not settled. `settled` is
 * called only while the source is open.
 */
import type { Json } from '../model/checkpoint.js';
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
import type { FoundRecord, TakenMark } from '../tasks/task.js';
import { TASK_RULES, type TaskOptions } from '../tasks/task-options.js';
import type { PartitionProgress, Source, SourcePartition, SourcePast } from './source.js';

/** Options of `connectorSource`. */
export interface ConnectorSourceOptions<Out> extends TaskOptions<never, Out> {
  /** Whether a resumed run can read the source again. Default: `isReplayable` of the source, otherwise true. */
  readonly replayable?: boolean;
}

const RULES: OptionRules<ConnectorSourceOptions<unknown>> = { ...TASK_RULES, replayable: flag };

/**
 * A task that reads from a source of your own. Throws MILLRACE_INVALID_OPTION if `source` is not a source, and for
 * options that do not fit. A run fails with the same code if the source opens with several partitions.
 *
 * @example connectorSource(new RedisList('orders'), { output: Order })
 */
export function connectorSource<Out>(source: Source<Out>, options: ConnectorSourceOptions<Out> = {}): SourceTask<Out> {
  checkObject('what a connectorSource reads', source);
  checkFunction('`open` of a source', (source as { readonly open?: unknown }).open);
  checkOptions('a connectorSource', options, RULES);
  return new ConnectorSource(source, options);
}

class ConnectorSource<Out> extends SourceTask<Out> {
  override readonly kind: string;
  private readonly source: Source<Out>;
  private scope: TaskScope | undefined;
  private isOpen = false;
  /** Whether the run makes checkpoints. */
  private isKept = false;
  private start: Lineage = 0;
  /** The positions from which unsettled records can be read, ascending. */
  private positions: SourcePosition[] = [];

  constructor(source: Source<Out>, options: ConnectorSourceOptions<Out>) {
    super({ ...options, replayable: options.replayable ?? source.isReplayable ?? true });
    this.source = source;
    this.kind = source.kind ?? 'source';
  }

  override get usesExecutor(): boolean {
    return this.source.usesThreads ?? false;
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

  protected override read(): never {
    throw new TypeError('A connector has a reader of its own');
  }

  protected override async reader(scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    this.scope = scope;
    this.isOpen = true;
    const past = pastOf(scope);
    const partition = onlyPartition<Out>(await this.source.open(scope, past), scope.task);
    this.start = this.isRepeatable ? startOf(partition, scope) : Math.max(scope.root.watermark, scope.past?.lost ?? 0);
    this.positions = past?.position === undefined ? [] : [past.position];
    let next = this.start;
    return {
      read: async (max) => {
        const read = await partition.read(max);
        if (read === null) return null;
        assertSize(read.records.length, max, scope.task);
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

  override mark(scope: TaskScope): SourcePosition | undefined {
    this.isKept = true;
    return super.mark(scope) ?? positionIn(scope);
  }

  override async checkpointed({ settled }: TakenMark): Promise<void> {
    if (this.isOpen) await this.source.settled?.([{ partition: 0, ...settled }]);
  }

  override async close(outcome: RunOutcome): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    try {
      const isWell = outcome === 'completed' || outcome === 'drained';
      if (!this.isKept && isWell) await this.source.settled?.([this.everything()]);
    } finally {
      await this.source.close?.(outcome);
    }
  }

  /** The settled records at the end of a run that completed or drained: all of them. */
  private everything(): PartitionProgress {
    return { partition: 0, watermark: (this.scope as TaskScope).root.watermark, done: [] };
  }

  private keep(position: SourcePosition, next: Lineage, { task, root }: TaskScope): void {
    if (!(position.lineage <= next)) {
      throw new MillraceError(
        'MILLRACE_INVALID_OUTPUT',
        `Expected \`position.lineage\` of source '${task}' to be at most ${next}, the number of the next record, got ${describeValue(position.lineage)}`,
      );
    }
    this.positions.push(position);
    // Drops all positions before the newest one at or before the watermark, because they will never be needed.
    this.positionOf(root.watermark);
  }
}

function pastOf(scope: TaskScope): SourcePast | undefined {
  if (scope.past === undefined) return undefined;
  return { position: positionIn(scope), from: scope.root.watermark };
}

function onlyPartition<Out>(opened: unknown, task: string): SourcePartition<Out> {
  const partitions = Array.isArray(opened) ? (opened as readonly SourcePartition<Out>[]) : [];
  const [first, another] = partitions;
  if (first !== undefined && another === undefined && first.partition === 0) return first;
  const got = Array.isArray(opened)
    ? `${partitions.length} (${partitions.map(({ partition }) => partition).join(', ')})`
    : describeValue(opened);
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected source '${task}' to open with one partition, 0, got ${got}. Sources with several partitions are not supported: use one task per partition`,
  );
}

function startOf({ from = 0 }: SourcePartition<unknown>, { task, root }: TaskScope): Lineage {
  if (Number.isSafeInteger(from) && from >= 0 && from <= root.watermark) return from;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`from\` of source '${task}' to be a number from 0 to ${root.watermark}, the first record that the run needs, got ${describeValue(from)}`,
  );
}

function assertSize(count: number, max: number, task: string): void {
  if (count >= 1 && count <= max) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected source '${task}' to read 1 to ${max} records, or null at the end, got ${count}`,
  );
}
