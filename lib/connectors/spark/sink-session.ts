/**
 * The session in which a sink writes, found again by each incarnation of its run.
 *
 * Guarantees: when `begin` has resolved, no statement of an earlier incarnation runs any more, so none can end after
 * the progress was read. A statement is executed again only after its former execution has ended.
 */
import { createHash } from 'node:crypto';
import { holdClock, MillraceError, type ConnectorContext } from '../../connect/index.js';
import { Patience } from '../sql/patience.js';
import { databaseAway, wrongStatement } from '../sql/sql-errors.js';
import type { SparkFields } from './arrow-rows.js';
import type { Execution, ExecutionLimits } from './execution.js';
import type { SparkValue } from './literals.js';
import { reportOf } from './spark-errors.js';
import type { SparkConnection } from './spark-remote.js';
import { SparkSession } from './spark-session.js';
import { executeSql } from './sql-execution.js';

/** How a statement is executed. */
export interface SinkStatement {
  readonly args?: Readonly<Record<string, SparkValue>>;
  /**
   * The partitions that INSERT OVERWRITE replaces. `batch` (default): those that its rows name; this mode needs no
   * folder that writers of other partitions share. `run`: all those that the statement names.
   */
  readonly overwrites?: 'batch' | 'run';
}

const MODE = 'spark.sql.sources.partitionOverwriteMode';
/** The server refuses the id of a session that has ended. */
const ENDED = /^INVALID_HANDLE\.SESSION_(?:CLOSED|CHANGED)$/;

const CANCELED = 'OPERATION_CANCELED';

export class SinkSession {
  /** Names the sink in messages. */
  readonly of: string;
  private readonly connection: SparkConnection;
  private readonly context: ConnectorContext;
  private readonly limits: ExecutionLimits;
  private session: SparkSession | undefined;
  /** The number of sessions that have ended. */
  private generation = 0;
  private mode: SinkStatement['overwrites'];
  private execution: Execution | undefined;
  private isOpening = true;
  /** The executions of earlier incarnations that were cancelled and may not have ended. */
  private readonly ending = new Set<string>();

  constructor(connection: SparkConnection, of: string, context: ConnectorContext, limits: ExecutionLimits) {
    this.connection = connection;
    this.of = of;
    this.context = context;
    this.limits = limits;
  }

  /** Connects, cancels the statements of an earlier incarnation, and waits for their end. */
  async begin(): Promise<void> {
    await this.untilDone(() => Promise.resolve());
  }

  /** The sink is open: from now on, a statement that is cancelled was cancelled by a later incarnation. */
  opened(): void {
    this.isOpening = false;
  }

  /** Executes a statement that may be executed twice. */
  async execute(sql: string, { args = {}, overwrites = 'batch' }: SinkStatement = {}): Promise<readonly SparkFields[]> {
    return this.untilDone(async (session) => {
      if (this.mode !== overwrites) {
        await this.run(session, `SET ${MODE} = ${overwrites === 'batch' ? 'dynamic' : 'static'}`, {});
        this.mode = overwrites;
      }
      return this.run(session, sql, args);
    });
  }

  /** Cancels the statement that is executed. */
  cancel(): void {
    this.isOpening = false;
    void this.execution?.close();
  }

  /** Ends the session. A server that is away forgets it by itself. */
  async end(): Promise<void> {
    await this.session?.end().catch(() => undefined);
    this.session?.disconnect();
  }

  private async run(session: SparkSession, sql: string, args: Readonly<Record<string, SparkValue>>) {
    const { of, context, limits } = this;
    const whenBegun = (execution: Execution): void => {
      this.execution = execution;
    };
    try {
      return await executeSql({ session, sql, args, of, context, limits, whenBegun });
    } finally {
      this.execution = undefined;
    }
  }

  /** Repeats the work in the next session if the server has lost this one. */
  private async untilDone<T>(work: (session: SparkSession) => Promise<T>): Promise<T> {
    const { context, of } = this;
    const patience = new Patience(context, this.limits.retryForMs);
    for (;;) {
      try {
        return await holdClock(context.clock, this.connected().then(work));
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        const { failure, message, errorClass } = reportOf(error);
        // The cancelling of the statements of an earlier incarnation may reach the first ones of this one.
        const isStray = errorClass === CANCELED && this.isOpening && !context.signal.aborted;
        if (!isStray && failure !== 'gone' && failure !== 'lost') throw wrongStatement(of, message, error);
        if (ENDED.test(errorClass ?? '')) this.generation++;
        this.disconnect();
        if (!(await patience.wait())) throw databaseAway(of, message, error);
      }
    }
  }

  private async connected(): Promise<SparkSession> {
    if (this.session !== undefined) return this.session;
    const session = new SparkSession(this.connection, idOf(this.context, this.generation));
    this.session = session;
    this.mode = undefined;
    // Kept until they have ended, because the server names each of them only once.
    for (const id of await session.interruptAll()) this.ending.add(id);
    const ended = [...this.ending].map(async (id) => {
      await session.untilEnded(id);
      this.ending.delete(id);
    });
    await Promise.all(ended);
    return session;
  }

  private disconnect(): void {
    this.session?.disconnect();
    this.session = undefined;
  }
}

/**
 * The id of a session of this sink: the same in each incarnation of the run, and different for any other sink or run.
 */
function idOf({ runId, task }: ConnectorContext, generation: number): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(['millrace sink', runId, task, generation]))
    .digest('hex');
  return [digest.slice(0, 8), digest.slice(8, 12), `8${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`]
    .concat(digest.slice(20, 32))
    .join('-');
}
