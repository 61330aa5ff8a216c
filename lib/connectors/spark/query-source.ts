/** The common part of the sources that read the result of a Spark query, in one part or in several. */
import {
  Semaphore,
  type ConnectorContext,
  type Dataset,
  type Json,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
} from '../../connect/index.js';
import { nameOfQuery, type QueryOptions } from '../sql/query.js';
import type { SparkValue } from './literals.js';
import { QueryRows, type KeyPosition, type QueryRowsParts } from './query-rows.js';
import { addressOf, hideToken, type SparkConnection } from './spark-remote.js';

/** Options of these sources. */
interface QuerySourceOptions<Out> extends SourceOptions<Out>, SparkConnection {
  readonly sql: string;
  readonly args?: Readonly<Record<string, SparkValue>>;
  readonly keyset?: readonly string[];
  readonly partitions?: number;
  readonly concurrency?: number;
}

/** The number of parts that are read at a time. */
const DEFAULT_CONCURRENCY = 2;

export abstract class QuerySource<Out, Options extends QuerySourceOptions<Out>> {
  readonly isPartitioned: boolean;
  protected readonly options: Options;
  private parts: readonly QueryRows<Out>[] = [];
  private signal: AbortSignal | undefined;

  /** Throws MILLRACE_INVALID_OPTION if `remote` is no address. */
  constructor(options: Options) {
    addressOf(options);
    this.options = options;
    this.isPartitioned = options.partitions !== undefined;
  }

  abstract identify(): Json;

  get dataset(): Dataset {
    return { namespace: 'spark', name: `${addressOf(this.options).target}/${nameOfQuery(this.asQuery())}` };
  }

  async close(): Promise<void> {
    this.signal?.removeEventListener('abort', this.stop);
    await Promise.all(this.parts.map((part) => part.close()));
  }

  /** Opens the parts. `partOf` returns the cursor of a part, and the way in which its rows become records. */
  protected openParts(
    context: ConnectorContext,
    past: SourcePast | undefined,
    partOf: (
      partition: number,
      position: KeyPosition | undefined,
    ) => Omit<QueryRowsParts<Out>, 'partition' | 'position' | 'permits'>,
  ): readonly SourcePartition<Out>[] {
    const { partitions = 1, concurrency = DEFAULT_CONCURRENCY } = this.options;
    hideToken(this.options, context.secrets);
    const permits = new Semaphore(concurrency);
    this.parts = Array.from({ length: partitions }, (_, partition) => {
      const known = past?.partitions.find((one) => one.partition === partition);
      const position = (this.isPartitioned ? known?.position : past?.position) as KeyPosition | undefined;
      return new QueryRows<Out>({ partition, position, permits, ...partOf(partition, position) });
    });
    this.signal = context.signal;
    this.signal.addEventListener('abort', this.stop);
    return this.parts;
  }

  /** The query in the form of other databases. */
  protected asQuery(): QueryOptions<Out> {
    const { sql: query, args = {}, ...others }: QuerySourceOptions<Out> = this.options;
    return { ...others, query, params: Object.entries(args).flat() };
  }

  private readonly stop = (): void => {
    void this.close();
  };
}
