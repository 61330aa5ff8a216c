/**
 * One connection to a DuckDB of its own, in memory.
 *
 * Guarantees: a result is read chunk by chunk, and DuckDB is at most one small buffer ahead of the reader. Nothing
 * depends on the machine's time zone, and no query downloads an extension unless the user allows it. `close` interrupts
 * the query at work and waits for its end.
 */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBResult,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api';
import { MillraceError } from '../../connect/index.js';
import { wrongStatement } from '../sql/sql-errors.js';
import { describeDuckdb } from './duckdb-errors.js';
import { duckdbPackage } from './duckdb-package.js';

/** A value and its type, for a parameter. */
export interface TypedValue {
  readonly value: DuckDBValue;
  readonly type: DuckDBType;
}

/** A column of a result. */
export interface ResultColumn {
  readonly name: string;
  readonly type: DuckDBType;
}

/** The rows of a query, pulled chunk by chunk. */
export interface ChunkReader {
  readonly columns: readonly ResultColumn[];
  /** Returns the next chunk, of 1 to 2,048 rows; null at the end. */
  next(): Promise<DuckDBDataChunk | null>;
}

export class DuckdbSession {
  private readonly instance: DuckDBInstance;
  private readonly connection: DuckDBConnection;
  private readonly signal: AbortSignal | undefined;
  private readonly stop = (): void => {
    void this.settle();
  };
  /** The calls whose work is under way in another thread. */
  private readonly pending = new Set<Promise<unknown>>();
  private isClosed = false;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, signal: AbortSignal | undefined) {
    this.instance = instance;
    this.connection = connection;
    this.signal = signal;
    signal?.addEventListener('abort', this.stop);
  }

  /** Opens a database in memory. When `signal` aborts, the query at work ends with MILLRACE_ABORTED. */
  static async open(signal?: AbortSignal): Promise<DuckdbSession> {
    const { DuckDBInstance } = duckdbPackage();
    const instance = await DuckDBInstance.create(':memory:', {
      autoinstall_known_extensions: 'false',
      // The default is a folder in the current folder. DuckDB makes the folder when it needs one, and removes it.
      temp_directory: join(tmpdir(), `millrace-duckdb-${randomUUID()}`),
    });
    const session = new DuckdbSession(instance, await instance.connect(), signal);
    try {
      await session.run('DuckDB', "SET TimeZone = 'UTC'");
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /** Executes statements. @param of names the owner of the statements in messages. */
  async run(of: string, sql: string): Promise<void> {
    await this.guarded(of, () => this.connection.run(sql));
  }

  /** The types of the columns that a table has. */
  async columnsOf(of: string, table: string): Promise<readonly ResultColumn[]> {
    return this.reader(of, await this.guarded(of, () => this.connection.run(`SELECT * FROM ${table} LIMIT 0`))).columns;
  }

  /** Executes one SELECT, whose rows are then pulled. Throws MILLRACE_SQL for anything else. */
  async query(of: string, sql: string, params: readonly TypedValue[] = []): Promise<ChunkReader> {
    const { StatementType } = duckdbPackage();
    const statements = await this.guarded(of, () => this.connection.extractStatements(sql));
    const { count } = statements;
    if (count !== 1) throw wrongStatement(of, `expected one SELECT, got ${count} statements`, undefined);
    const statement = await this.guarded(of, () => statements.prepare(0));
    if (statement.statementType !== StatementType.SELECT) {
      throw wrongStatement(of, 'expected a SELECT, got a statement of another kind', undefined);
    }
    if (params.length > 0) {
      try {
        statement.bind(
          params.map(({ value }) => value),
          params.map(({ type }) => type),
        );
      } catch (error) {
        throw wrongStatement(of, describeDuckdb(error), error);
      }
    }
    return this.reader(of, await this.guarded(of, () => statement.stream()));
  }

  /** The rows of a small result. */
  async rows(of: string, sql: string): Promise<readonly (readonly DuckDBValue[])[]> {
    const result = await this.guarded(of, () => this.connection.run(sql));
    return await this.guarded(of, () => result.getRows());
  }

  /** Appends a chunk of rows to a table. */
  async append(table: string, chunk: DuckDBDataChunk): Promise<void> {
    const of = `The table ${table}`;
    const appender = await this.guarded(of, () => this.connection.createAppender(table));
    try {
      appender.appendDataChunk(chunk);
      appender.flushSync();
    } catch (error) {
      throw wrongStatement(of, describeDuckdb(error), error);
    } finally {
      appender.closeSync();
    }
  }

  /** Interrupts the query at work, waits for its end, and releases everything. May be called twice. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.signal?.removeEventListener('abort', this.stop);
    // A connection that is closed while a thread works with it would end the process.
    await this.settle();
    this.connection.closeSync();
    this.instance.closeSync();
  }

  /** Interrupts the query at work, and resolves when it has ended. */
  private async settle(): Promise<void> {
    if (this.pending.size === 0) return;
    const interrupt = (): void => {
      this.connection.interrupt();
    };
    interrupt();
    // DuckDB forgets an interrupt that arrives just before a statement begins, so the interrupt is repeated.
    const timer = setInterval(interrupt, INTERRUPT_EVERY_MS);
    await Promise.allSettled(this.pending);
    clearInterval(timer);
  }

  private reader(of: string, result: DuckDBResult): ChunkReader {
    const types = result.columnTypes();
    return {
      columns: result.columnNames().map((name, i) => ({ name, type: types[i] as DuckDBType })),
      next: async () => {
        const chunk = await this.guarded(of, () => result.fetchChunk());
        return chunk === null || chunk.rowCount === 0 ? null : chunk;
      },
    };
  }

  private async guarded<T>(of: string, begin: () => Promise<T>): Promise<T> {
    if (this.hasEnded()) throw cancelled(of, this.signal?.reason);
    const work = begin();
    this.pending.add(work);
    try {
      return await work;
    } catch (error) {
      if (this.hasEnded()) throw cancelled(of, error);
      throw wrongStatement(of, describeDuckdb(error), error);
    } finally {
      this.pending.delete(work);
    }
  }

  private hasEnded(): boolean {
    return this.isClosed || this.signal?.aborted === true;
  }
}

const INTERRUPT_EVERY_MS = 50;

function cancelled(of: string, cause: unknown): MillraceError {
  return new MillraceError('MILLRACE_ABORTED', `${of} was cancelled`, { cause });
}
