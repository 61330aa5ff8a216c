/**
 * Reads the rows of a query in a session of its own.
 *
 * Guarantees: rows are requested from the server only when they are read. Each row is returned once and in order: the
 * offsets of the server are checked. With a key, a query that the server has lost is executed again, for the rows after
 * the last one.
 */
import { describeThrown, holdClock, MillraceError, type ConnectorContext } from '../../connect/index.js';
import { assertKnownColumn } from '../sql/identifiers.js';
import { assertKey, withoutEnd } from '../sql/keyset.js';
import { Patience } from '../sql/patience.js';
import { databaseAway, wrongStatement } from '../sql/sql-errors.js';
import { readArrow, type ArrowRows, type SparkFields } from './arrow-rows.js';
import { Execution, type ExecutionLimits } from './execution.js';
import { sqlRelation, type SparkValue } from './literals.js';
import { reportOf } from './spark-errors.js';
import { arrowPackage } from './spark-packages.js';
import type { SparkConnection } from './spark-remote.js';
import { SparkSession } from './spark-session.js';
import { executeSql } from './sql-execution.js';

/** A value of a key, as a checkpoint keeps it. */
export type KeyValue = { readonly type: string; readonly text: string };
export type Key = readonly KeyValue[];

/** The query to read. */
export interface CursorQuery {
  readonly connection: SparkConnection;
  /** Statements that are executed before the query, in its session. */
  readonly setup: readonly string[];
  /** Prepares a new session. Returns the query; the key is that of the last row, and undefined at the beginning. */
  readonly query: (session: SparkSession, after: Key | undefined) => Promise<string> | string;
  readonly args: Readonly<Record<string, SparkValue>>;
  /** The columns of the key; none if the query cannot be continued. */
  readonly keyset: readonly string[];
  readonly limits: ExecutionLimits;
}

/** A row with a value that no record can contain. */
export class UnreadableRow {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** The fields of a row, without an object around them: there are millions of rows. */
export type CursorRow = SparkFields | UnreadableRow;

export class SparkCursor {
  private readonly query: CursorQuery;
  private readonly context: ConnectorContext;
  /** Names the query in messages. */
  private readonly of: string;
  private lastKey: Key | undefined;
  private session: SparkSession | undefined;
  private execution: Execution | undefined;
  private rows: ArrowRows | undefined;
  private at = 0;
  /** The offset of the next row in the result of the server. */
  private offset = 0;
  /** Whether this cursor has returned a row. */
  private hasRead = false;
  private isOver = false;
  private closing: Promise<void> | undefined;

  constructor(query: CursorQuery, context: ConnectorContext, after: Key | undefined) {
    this.query = query;
    this.context = context;
    this.of = `The query of '${context.task}'`;
    this.lastKey = after;
  }

  /** The key of the last row that `read` has returned. */
  get key(): Key | undefined {
    return this.lastKey;
  }

  /** Returns 1 to `max` rows, or null at the end. */
  async read(max: number): Promise<readonly CursorRow[] | null> {
    while (this.rows === undefined || this.at === this.rows.count) {
      if (this.isOver) return null;
      await holdClock(this.context.clock, this.untilDone());
    }
    const { rows, at } = this;
    const read: CursorRow[] = [];
    this.at = Math.min(rows.count, at + max);
    for (let i = at; i < this.at; i++) read.push(this.rowAt(rows, i));
    this.hasRead = true;
    return read;
  }

  /** Cancels the query if it is not over, and ends the session. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  /** Gets the next rows from the server. Executes the query again if the server has lost it. */
  private async untilDone(): Promise<void> {
    const { context, of, query } = this;
    const patience = new Patience(context, query.limits.retryForMs);
    for (;;) {
      try {
        await this.advance();
        return;
      } catch (error) {
        if (this.closing !== undefined || context.signal.aborted) throw databaseAway(of, 'the run has ended', error);
        if (error instanceof MillraceError) throw error;
        const { failure, message } = reportOf(error);
        if (failure !== 'gone' && failure !== 'lost') throw wrongStatement(of, message, error);
        if (query.keyset.length === 0 && this.hasRead) {
          throw databaseAway(of, `${message}. With a \`keyset\` it could be continued`, error);
        }
        if (!(await patience.wait())) throw databaseAway(of, message, error);
        await this.forget();
      }
    }
  }

  private async advance(): Promise<void> {
    this.execution ??= await this.begin();
    const answer = await this.execution.next();
    if (answer === null) {
      this.isOver = true;
      await this.execution.close();
      return;
    }
    const { arrow } = answer;
    if (arrow?.data === undefined) return;
    const start = Number(arrow.startOffset ?? 0);
    if (start !== this.offset) {
      throw new MillraceError(
        'MILLRACE_SQL',
        `${this.of} continued at row ${start} of its result instead of ${this.offset}`,
      );
    }
    const rows = readArrow(arrowPackage(), arrow.data, this.of);
    this.offset += rows.count;
    for (const name of this.query.keyset) assertKnownColumn(this.of, name, rows.columns);
    this.rows = rows;
    this.at = 0;
  }

  private async begin(): Promise<Execution> {
    const { connection, setup, args, limits } = this.query;
    const { context, of } = this;
    const session = new SparkSession(connection);
    this.session = session;
    for (const [i, sql] of setup.entries()) {
      await executeSql({ session, sql, of: `Statement ${i + 1} of the setup of '${context.task}'`, context, limits });
    }
    const sql = await this.query.query(session, this.lastKey);
    this.offset = 0;
    this.rows = undefined;
    const keys = (this.lastKey ?? []).map(({ text }, i) => [keyParameter(i), text] as const);
    const relation = sqlRelation(sql, { ...args, ...Object.fromEntries(keys) });
    return new Execution(session, { root: relation }, of, context, limits);
  }

  private rowAt(rows: ArrowRows, index: number): CursorRow {
    if (this.query.keyset.length > 0) this.advanceKey(rows, index);
    try {
      return rows.row(index);
    } catch (error) {
      return new UnreadableRow(error);
    }
  }

  private advanceKey(rows: ArrowRows, index: number): void {
    const { keyset } = this.query;
    const texts = keyset.map((name) => {
      const value = rows.value(index, name) as string | number | null;
      return value === null ? null : String(value);
    });
    const last = this.lastKey?.map(({ text }) => text);
    assertKey(this.context.task, keyset, texts, last);
    this.lastKey = keyset.map((name, i) => ({ type: this.typeOfKey(rows, name), text: texts[i] as string }));
  }

  private typeOfKey(rows: ArrowRows, name: string): string {
    const type = rows.keyTypeOf(name);
    if (type !== undefined) return type;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected the \`keyset\` of '${this.context.task}' to name columns of texts, integers, decimals, dates or timestamps. Convert '${name}' in the query`,
    );
  }

  private async end(): Promise<void> {
    const { execution, session, context } = this;
    const isEnded = (await execution?.close()) ?? true;
    if (!isEnded) context.notice(`${this.of} could not be cancelled: the server did not answer. It may run to its end`);
    await this.forget();
    session?.disconnect();
  }

  /** Ends the session, if the server still has it. */
  private async forget(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    this.execution = undefined;
    if (session === undefined) return;
    await session.end().catch((error: unknown) => {
      // The server forgets an idle session after an hour.
      void describeThrown(error);
    });
    session.disconnect();
  }
}

/** The name of the parameter with a value of the key. */
function keyParameter(index: number): string {
  return `millrace_key_${index}`;
}

/** The name as an identifier of Spark. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A query around another one. */
export interface WrappedQuery {
  readonly sql: string;
  readonly keyset: readonly string[];
  readonly after: Key | undefined;
  /** Conditions on the rows of `sql`, which is called `q`. */
  readonly where?: readonly string[];
}

/** The query in the order of its key, and only with the rows after a key. */
export function wrapQuery({ sql, keyset, after, where = [] }: WrappedQuery): string {
  const inner = withoutEnd(sql);
  if (keyset.length === 0 && where.length === 0) return inner;
  const conditions = [...where, ...(after === undefined ? [] : [afterKey(keyset, after)])];
  const filter = conditions.length === 0 ? '' : ` WHERE ${conditions.map((one) => `(${one})`).join(' AND ')}`;
  const order = keyset.length === 0 ? '' : ` ORDER BY ${keyset.map((name) => `q.${quoted(name)}`).join(', ')}`;
  // The line ends keep a comment at the end of the query from hiding what follows.
  return `SELECT * FROM (\n${inner}\n) AS q${filter}${order}`;
}

/** The rows whose key is greater, column by column. */
function afterKey(keyset: readonly string[], after: Key): string {
  const value = (i: number): string => `CAST(:${keyParameter(i)} AS ${(after[i] as KeyValue).type})`;
  return keyset
    .map((name, i) => {
      const equal = keyset.slice(0, i).map((before, j) => `q.${quoted(before)} = ${value(j)}`);
      return `(${[...equal, `q.${quoted(name)} > ${value(i)}`].join(' AND ')})`;
    })
    .join(' OR ');
}
