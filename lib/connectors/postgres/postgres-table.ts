/**
 * A table of PostgreSQL with the progress of a run beside it: the statements of `TransactionalSink`.
 *
 * Guarantees: rows and progress are in one transaction, which also checks that this process still owns the sink. Values
 * are parameters, names are quoted.
 */
import { randomInt } from 'node:crypto';
import { describeValue, MillraceError, type LineageId, type RefusedRow } from '../../connect/index.js';
import type { StoredRecords } from '../sql/stored-records.js';
import { assertKnownColumn, quoted, quotedList } from '../sql/identifiers.js';
import { isolateRows } from '../sql/isolate-rows.js';
import type { SqlFailure } from '../sql/sql-errors.js';
import type { ProgressOf, SinkIdentity, SinkTable } from '../sql/transactional-sink.js';
import type { WriteProgress } from '../sql/write-progress.js';
import { copyIn } from './copy-in.js';
import { copyLine } from './copy-text.js';
import type { PostgresConnection } from './postgres-connection.js';
import { describePostgres, failureOf } from './postgres-errors.js';
import { PostgresSession } from './postgres-session.js';
import { createProgressTables, progressTables, type ProgressTables } from './progress-tables.js';
import { rowJson, type ColumnForm } from './row-json.js';

/** How rows are written. */
export type PostgresMode = 'insert' | 'upsert' | 'copy';

export interface PostgresTableParts {
  readonly connection: string | PostgresConnection | undefined;
  readonly schema: string | undefined;
  readonly table: string;
  readonly columns: readonly string[];
  readonly mode: PostgresMode;
  readonly key: readonly string[];
  readonly task: string;
  readonly notice: (message: string) => void;
}

/** A row in the form in which it is sent, and the text of its key. */
export interface PostgresRow {
  readonly text: string;
  /** '' unless rows with the same key replace each other. */
  readonly key: string;
}

/** The largest step of the incarnation: a table can be taken over a million times before it exceeds a bigint. */
const MOST_SKIPPED = 2 ** 42;

/** What the catalog contains about a table. */
interface TableFacts {
  readonly schema: string;
  readonly types: readonly string[];
  readonly forms: readonly ColumnForm[];
  readonly takesCopies: boolean;
}

export class PostgresTable implements SinkTable<PostgresRow> {
  readonly name: string;
  private readonly parts: PostgresTableParts;
  private session: PostgresSession | undefined;
  private drop: () => void = () => undefined;
  private facts: TableFacts | undefined;
  private tables: ProgressTables = progressTables('public');
  private insert = '';
  /** The same INSERT as a part of a statement that first finds the row of the owner. */
  private insertOfOwner = '';
  /** Whether rows are sent by COPY. */
  private copies = false;
  /** Whether policies of row security may refuse single rows. */
  private isSecured = false;
  private sink = '0';
  private incarnation = '0';
  /** The incarnation that the server has been asked for, and may have stored. */
  private next: string | undefined;

  constructor(parts: PostgresTableParts) {
    this.parts = parts;
    this.name = parts.schema === undefined ? quoted(parts.table) : `${quoted(parts.schema)}.${quoted(parts.table)}`;
  }

  async open(
    identity: SinkIdentity,
    { isAnew, isAgain }: { readonly isAnew: boolean; readonly isAgain: boolean },
    stored: StoredRecords,
  ): Promise<void> {
    const session = await PostgresSession.connect(this.parts.connection, this.facts === undefined, (disconnect) => {
      this.drop = disconnect;
    });
    this.session = session;
    if (this.facts === undefined) await this.learn(session);
    await this.takeOver(session, identity, isAgain);
    const { ranges, names } = this.tables;
    if (isAnew) {
      await session.query(`DELETE FROM ${ranges} WHERE sink = $1`, [this.sink]);
      await session.query(`DELETE FROM ${names} WHERE sink = $1`, [this.sink]);
    } else {
      // Names of earlier incarnations are kept until their records have arrived again.
      await session.query(`UPDATE ${names} SET epoch = -1 WHERE sink = $1`, [this.sink]);
    }
    const numbers = await session.texts(`SELECT root, partition, first, past FROM ${ranges} WHERE sink = $1`, [
      this.sink,
    ]);
    for (const [root, partition, first, past] of numbers.rows) {
      stored.addRange(root as string, Number(partition), { first: Number(first), past: Number(past) });
    }
    const named = await session.texts(`SELECT root, partition, name FROM ${names} WHERE sink = $1`, [this.sink]);
    for (const [root, partition, name] of named.rows) stored.addName(root as string, Number(partition), name as string);
  }

  encode(fields: Readonly<Record<string, unknown>>): PostgresRow {
    const { columns, key } = this.parts;
    const values = columns.map((column) => fields[column]);
    const { forms } = this.facts as TableFacts;
    const text = this.copies ? copyLine(values, forms, columns) : rowJson(values, columns, forms);
    if (key.length === 0) return { text, key: '' };
    return {
      text,
      key: rowJson(
        key.map((column) => fields[column]),
        key,
      ),
    };
  }

  async write(rows: readonly PostgresRow[], progressOf: ProgressOf, epoch: number): Promise<readonly RefusedRow[]> {
    try {
      await this.writeAll(rows, progressOf([]), epoch);
      return [];
    } catch (error) {
      if (this.failureOf(error) !== 'row') throw error;
      return await this.writeApart(rows, progressOf, epoch);
    }
  }

  private async writeAll(rows: readonly PostgresRow[], progress: WriteProgress, epoch: number): Promise<void> {
    const session = this.opened();
    const { sinks, ranges, names } = this.tables;
    if (this.copies) {
      await this.transaction(async () => {
        await this.put(rows);
        await this.store(progress, epoch);
      });
      return;
    }
    // One statement is one transaction, and one round trip.
    const { rows: owners } = await session.query(
      `WITH owner AS (SELECT id FROM ${sinks} WHERE id = $2 AND incarnation = $3 FOR NO KEY UPDATE),
      stored AS (${storeRanges(ranges, 'owner.id', 4)}),
      named AS (${storeNames(names, 'owner.id', 8)}),
      joined AS (${removeRanges(ranges, 4, 10)}),
      written AS (${this.insertOfOwner})
      SELECT id FROM owner`,
      [jsonOf(latest(rows)), ...this.progressValues(progress, epoch)],
      'millrace_write',
    );
    if (owners.length === 0) throw this.replaced();
  }

  private async writeApart(
    rows: readonly PostgresRow[],
    progressOf: ProgressOf,
    epoch: number,
  ): Promise<readonly RefusedRow[]> {
    let refused: RefusedRow[] = [];
    const attempt = (isImmediate: boolean): Promise<void> =>
      this.transaction(async (session) => {
        refused = await isolateRows(rows.length, async (from, to) => {
          await session.query('SAVEPOINT millrace');
          try {
            await this.put(rows.slice(from, to));
            if (isImmediate) await session.query('SET CONSTRAINTS ALL IMMEDIATE');
          } catch (error) {
            if (this.failureOf(error) !== 'row') throw error;
            await session.query('ROLLBACK TO SAVEPOINT millrace');
            await session.query('RELEASE SAVEPOINT millrace');
            return { error };
          }
          await session.query('RELEASE SAVEPOINT millrace');
          return undefined;
        });
        await this.store(progressOf(refused), epoch);
      });
    try {
      await attempt(false);
    } catch (error) {
      // The commit checks deferred constraints, and its error does not name the row.
      if (this.failureOf(error) !== 'row') throw error;
      await attempt(true);
    }
    return refused;
  }

  async forget(epoch: number, seen: readonly LineageId[]): Promise<void> {
    const { names } = this.tables;
    await this.transaction(async (session) => {
      await session.query(
        `UPDATE ${names} AS n SET epoch = $2
        FROM unnest($3::text[], $4::bigint[], $5::text[]) AS seen(root, partition, name)
        WHERE n.sink = $1 AND n.root = seen.root AND n.partition = seen.partition AND n.name = seen.name`,
        [
          this.sink,
          epoch,
          seen.map(({ root }) => root),
          seen.map(({ partition }) => partition),
          seen.map(({ name }) => name),
        ],
      );
      await session.query(`DELETE FROM ${names} WHERE sink = $1 AND epoch >= 0 AND epoch < $2`, [this.sink, epoch]);
    });
  }

  async finish(): Promise<void> {
    const { sinks, ranges, names } = this.tables;
    await this.transaction(async (session) => {
      for (const table of [ranges, names]) await session.query(`DELETE FROM ${table} WHERE sink = $1`, [this.sink]);
      await session.query(`DELETE FROM ${sinks} WHERE id = $1`, [this.sink]);
    });
    await this.session?.end();
  }

  disconnect(): void {
    this.session = undefined;
    this.drop();
  }

  failureOf(error: unknown): SqlFailure {
    return failureOf(error, this.session?.isConnected === true, this.isSecured);
  }

  describe(error: unknown): string {
    return describePostgres(error);
  }

  /** Looks up the table and its columns, and has the server check the statement. */
  private async learn(session: PostgresSession): Promise<void> {
    const { columns, mode, notice, task, key } = this.parts;
    const found = await session.query(
      `SELECT c.oid, n.nspname AS schema, c.relkind::text AS kind, row_security_active(c.oid) AS is_secured
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
      [this.name],
    );
    const [table] = found.rows;
    if (table === undefined) {
      throw new MillraceError(
        'MILLRACE_SQL',
        `The table ${this.name} of '${task}' does not exist. Create it, or correct \`table\` and \`schema\``,
      );
    }
    const { rows } = await session.texts(
      `SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory::text, coalesce(b.typname, t.typname)
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)
      WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
      [table['oid']],
    );
    const known = new Map(rows.map((row) => [row[0] as string, row]));
    for (const column of columns) assertKnownColumn(`Table ${this.name}`, column, [...known.keys()]);
    const schema = table['schema'] as string;
    this.isSecured = table['is_secured'] === true;
    const takesCopies = ['r', 'p', 'f'].includes(table['kind'] as string) && !this.isSecured;
    this.copies = mode === 'copy' && takesCopies;
    if (mode === 'copy' && !takesCopies) {
      notice(
        `'${task}' inserts its rows: COPY does not work for views and tables with row security, such as ${this.name}`,
      );
    }
    const facts: TableFacts = {
      schema,
      types: columns.map((column) => known.get(column)?.[1] as string),
      forms: columns.map((column) => formOf(known.get(column) ?? [])),
      takesCopies,
    };
    this.tables = progressTables(schema);
    const form = { table: this.name, columns, types: facts.types, key: mode === 'upsert' ? key : [] };
    this.insert = insertOf(form, '');
    this.insertOfOwner = insertOf(form, 'owner, ');
    // The server plans the statement, and so checks names, rights and the key.
    await session.query(`EXPLAIN ${this.insert}`, ['[]']).catch((error: unknown) => {
      throw ['lost', 'again'].includes(this.failureOf(error)) ? error : this.unfit(error);
    });
    await createProgressTables(session, this.tables);
    this.facts = facts;
  }

  private unfit(error: unknown): MillraceError {
    const isKey = (error as { readonly code?: unknown }).code === '42P10';
    const advice = isKey
      ? `. \`key\` must name the columns of a primary key or a unique index, got ${describeValue(this.parts.key)}`
      : '';
    return new MillraceError(
      'MILLRACE_SQL',
      `'${this.parts.task}' cannot write to ${this.name}: ${describePostgres(error)}${advice}`,
      { cause: error },
    );
  }

  /** Waits until each transaction of an earlier owner has ended, and excludes further ones. */
  private async takeOver(session: PostgresSession, { runId, task }: SinkIdentity, isAgain: boolean): Promise<void> {
    const { sinks } = this.tables;
    const { schema } = this.facts as TableFacts;
    const { rows } = isAgain
      ? await session.query(
          `UPDATE ${sinks} SET incarnation = $3 WHERE id = $1 AND incarnation IN ($2, $3) RETURNING id, incarnation`,
          [this.sink, this.incarnation, this.nextIncarnation()],
        )
      : await session.query(
          `INSERT INTO ${sinks} AS s (run, task, target, incarnation) VALUES ($1, $2, $3, 1)
          ON CONFLICT (run, task, target) DO UPDATE SET incarnation = s.incarnation + 1, opened_at = now()
          RETURNING id, incarnation`,
          [runId, task, `${schema}.${this.parts.table}`],
        );
    const [owner] = rows;
    if (owner === undefined) throw this.replaced();
    this.sink = String(owner['id']);
    this.incarnation = String(owner['incarnation']);
    this.next = undefined;
  }

  /**
   * The incarnation of this process after a lost connection. It stays the same until the server has confirmed it, so
   * that a lost answer does not look like another owner. The step is random, because another process that takes over
   * the table increases the current incarnation by one.
   */
  private nextIncarnation(): string {
    this.next ??= String(BigInt(this.incarnation) + BigInt(randomInt(2, MOST_SKIPPED)));
    return this.next;
  }

  private replaced(): MillraceError {
    return new MillraceError(
      'MILLRACE_LOCKED',
      `Another process has resumed this run and writes to ${this.name}, so '${this.parts.task}' must not. Stop one of them`,
    );
  }

  /** Writes the rows, in the current transaction. */
  private async put(rows: readonly PostgresRow[]): Promise<void> {
    const session = this.opened();
    if (this.copies) {
      const text = `COPY ${this.name} (${quotedList(this.parts.columns)}) FROM STDIN`;
      await copyIn(
        session,
        text,
        rows.map((row) => row.text),
      );
    } else await session.query(this.insert, [jsonOf(latest(rows))], 'millrace_rows');
  }

  /** Stores the progress, in the current transaction. */
  private async store(progress: WriteProgress, epoch: number): Promise<void> {
    const { sinks, ranges, names } = this.tables;
    const { rows } = await this.opened().query(
      `WITH owner AS (SELECT id FROM ${sinks} WHERE id = $1 AND incarnation = $2 FOR NO KEY UPDATE),
      stored AS (${storeRanges(ranges, 'owner.id', 3)}),
      named AS (${storeNames(names, 'owner.id', 7)}),
      joined AS (${removeRanges(ranges, 3, 9)})
      SELECT id FROM owner`,
      this.progressValues(progress, epoch),
      'millrace_progress',
    );
    if (rows.length === 0) throw this.replaced();
  }

  private progressValues({ root, partition, ranges, joined, names }: WriteProgress, epoch: number): unknown[] {
    return [
      ...[this.sink, this.incarnation, root, partition],
      ranges.map(({ first }) => first),
      ranges.map(({ past }) => past),
      ...[names, epoch, joined],
    ];
  }

  private async transaction(work: (session: PostgresSession) => Promise<void>): Promise<void> {
    const session = this.opened();
    await session.query('BEGIN');
    try {
      await work(session);
      await session.query('COMMIT');
    } catch (error) {
      if (session.isConnected) await session.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  private opened(): PostgresSession {
    if (this.session === undefined) throw new TypeError('The table is not open');
    return this.session;
  }
}

/** Keeps the last one of the rows with the same key: one statement cannot change a row twice. */
function latest(rows: readonly PostgresRow[]): readonly PostgresRow[] {
  if (rows[0]?.key === '') return rows;
  const byKey = new Map<string, PostgresRow>();
  for (const row of rows) {
    byKey.delete(row.key);
    byKey.set(row.key, row);
  }
  return byKey.size === rows.length ? rows : [...byKey.values()];
}

function jsonOf(rows: readonly PostgresRow[]): string {
  return `[${rows.map(({ text }) => text).join(',')}]`;
}

interface InsertForm {
  readonly table: string;
  readonly columns: readonly string[];
  readonly types: readonly string[];
  readonly key: readonly string[];
}

/** @param owner '' or a table with a comma: then nothing is inserted unless that table has a row. */
function insertOf({ table, columns, types, key }: InsertForm, owner: string): string {
  const fields = columns.map((_, i) => `c${i}`);
  const updates = columns
    .filter((column) => !key.includes(column))
    .map((column) => `${quoted(column)} = excluded.${quoted(column)}`);
  const conflict = updates.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${updates.join(', ')}`;
  return `INSERT INTO ${table} (${quotedList(columns)}) SELECT ${fields.join(', ')}
    FROM ${owner}json_to_recordset($1::json) AS r(${fields.map((field, i) => `${field} ${types[i]}`).join(', ')})
    ${key.length === 0 ? '' : `ON CONFLICT (${quotedList(key)}) ${conflict}`}`;
}

/** @param at the number of the first parameter: root, partition, first numbers, numbers after the last. */
function storeRanges(table: string, sink: string, at: number): string {
  return `INSERT INTO ${table} (sink, root, partition, first, past)
    SELECT ${sink}, $${at}::text, $${at + 1}::bigint, r.first, r.past
    FROM owner, unnest($${at + 2}::bigint[], $${at + 3}::bigint[]) AS r(first, past)
    ON CONFLICT (sink, root, partition, first) DO UPDATE SET past = excluded.past`;
}

/** @param at the number of the first parameter: names, epoch. Root and partition are four and three before it. */
function storeNames(table: string, sink: string, at: number): string {
  return `INSERT INTO ${table} (sink, root, partition, name, epoch)
    SELECT ${sink}, $${at - 4}::text, $${at - 3}::bigint, n.name, $${at + 1}::bigint
    FROM owner, unnest($${at}::text[]) AS n(name)
    ON CONFLICT (sink, root, partition, name) DO UPDATE SET epoch = excluded.epoch`;
}

/** @param at the number of the first parameter: root, partition. @param joined that of the first numbers. */
function removeRanges(table: string, at: number, joined: number): string {
  return `DELETE FROM ${table} AS r USING owner
    WHERE r.sink = owner.id AND r.root = $${at}::text AND r.partition = $${at + 1}::bigint
    AND r.first = ANY($${joined}::bigint[])`;
}

function formOf([, , category, base]: readonly (string | null)[]): ColumnForm {
  if (base === 'json' || base === 'jsonb') return 'json';
  return category === 'A' ? 'array' : 'plain';
}
