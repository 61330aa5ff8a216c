/**
 * A table of SQLite with the progress of a run beside it: the statements of `TransactionalSink`.
 *
 * Guarantees: rows and progress are in one transaction, which also checks that this process still owns the sink. Values
 * are parameters, names are quoted.
 */
import { describeThrown, MillraceError, type LineageId, type RefusedRow } from '../../connect/index.js';
import type { StoredRecords } from '../sql/stored-records.js';
import { assertKnownColumn, quoted, quotedList } from '../sql/identifiers.js';
import type { SqlFailure } from '../sql/sql-errors.js';
import type { ProgressOf, SinkIdentity, SinkTable } from '../sql/transactional-sink.js';
import { SharedFile } from './shared-file.js';
import { SqliteError, type SqliteStatement, type SqliteStored } from '../../storage/sqlite.js';
import { storedValue } from './sqlite-value.js';

/** How rows are written. */
export type SqliteMode = 'insert' | 'upsert';

export interface SqliteTableParts {
  readonly path: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly mode: SqliteMode;
  readonly key: readonly string[];
  readonly task: string;
}

/** The values of a row, in the order of the columns. */
export type SqliteRow = readonly SqliteStored[];

const TABLES = `CREATE TABLE IF NOT EXISTS millrace_sinks (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, task TEXT NOT NULL, target TEXT NOT NULL, incarnation INTEGER NOT NULL,
  opened_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, UNIQUE (run, task, target));
CREATE TABLE IF NOT EXISTS millrace_ranges (
  sink INTEGER NOT NULL, root TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, past INTEGER NOT NULL,
  PRIMARY KEY (sink, root, partition, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS millrace_names (
  sink INTEGER NOT NULL, root TEXT NOT NULL, partition INTEGER NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL,
  PRIMARY KEY (sink, root, partition, name)) WITHOUT ROWID`;

export class SqliteTable implements SinkTable<SqliteRow> {
  readonly name: string;
  private readonly parts: SqliteTableParts;
  private file: SharedFile | undefined;
  private insert: SqliteStatement | undefined;
  private sink: SqliteStored = 0;
  private incarnation: SqliteStored = 0;

  constructor(parts: SqliteTableParts) {
    this.parts = parts;
    this.name = quoted(parts.table);
  }

  async open(
    identity: SinkIdentity,
    { isAnew, isAgain }: { readonly isAnew: boolean; readonly isAgain: boolean },
    stored: StoredRecords,
  ): Promise<void> {
    const file = await SharedFile.open(this.parts.path);
    this.file = file;
    this.prepareInsert(file);
    file.transaction(() => {
      for (const statement of TABLES.split(';')) file.statement(statement).run([]);
    });
    file.transaction(() => {
      if (isAgain) this.assertOwned(file);
      else this.becomeOwner(file, identity);
      if (isAnew) {
        for (const table of ['millrace_ranges', 'millrace_names']) {
          file.statement(`DELETE FROM ${table} WHERE sink = ?`).run([this.sink]);
        }
      } else {
        // Names of earlier incarnations stay until their records have passed again.
        file.statement('UPDATE millrace_names SET epoch = -1 WHERE sink = ?').run([this.sink]);
      }
    });
    const ranges = file.statement('SELECT root, partition, first, past FROM millrace_ranges WHERE sink = ?');
    for (const { root, partition, first, past } of ranges.all([this.sink])) {
      stored.addRange(root as string, Number(partition), { first: Number(first), past: Number(past) });
    }
    const names = file.statement('SELECT root, partition, name FROM millrace_names WHERE sink = ?');
    for (const { root, partition, name } of names.all([this.sink])) {
      stored.addName(root as string, Number(partition), name as string);
    }
  }

  encode(fields: Readonly<Record<string, unknown>>): SqliteRow {
    return this.parts.columns.map((column) => storedValue(fields[column], `Column '${column}'`));
  }

  write(rows: readonly SqliteRow[], progressOf: ProgressOf, epoch: number): Promise<readonly RefusedRow[]> {
    const file = this.opened();
    const refused: RefusedRow[] = [];
    file.transaction(() => {
      this.assertOwned(file);
      // SQLite undoes a statement that fails, and the transaction continues.
      rows.forEach((row, index) => {
        try {
          this.insert?.run(row);
        } catch (error) {
          if (this.failureOf(error) !== 'row') throw error;
          refused.push({ row: index, error });
        }
      });
      const { root, partition, ranges, joined, names } = progressOf(refused);
      const removeRange = file.statement(
        'DELETE FROM millrace_ranges WHERE sink = ? AND root = ? AND partition = ? AND first = ?',
      );
      for (const first of joined) removeRange.run([this.sink, root, partition, first]);
      const storeRange = file.statement(
        `INSERT INTO millrace_ranges (sink, root, partition, first, past) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET past = excluded.past`,
      );
      for (const { first, past } of ranges) storeRange.run([this.sink, root, partition, first, past]);
      const storeName = file.statement(
        `INSERT INTO millrace_names (sink, root, partition, name, epoch) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET epoch = excluded.epoch`,
      );
      for (const name of names) storeName.run([this.sink, root, partition, name, epoch]);
    });
    return Promise.resolve(refused);
  }

  forget(epoch: number, seen: readonly LineageId[]): Promise<void> {
    const file = this.opened();
    file.transaction(() => {
      const keep = file.statement(
        'UPDATE millrace_names SET epoch = ? WHERE sink = ? AND root = ? AND partition = ? AND name = ?',
      );
      for (const { root, partition, name = '' } of seen) keep.run([epoch, this.sink, root, partition, name]);
      const remove = 'DELETE FROM millrace_names WHERE sink = ? AND epoch >= 0 AND epoch < ?';
      file.statement(remove).run([this.sink, epoch]);
    });
    return Promise.resolve();
  }

  finish(): Promise<void> {
    const file = this.opened();
    file.transaction(() => {
      for (const table of ['millrace_ranges', 'millrace_names']) {
        file.statement(`DELETE FROM ${table} WHERE sink = ?`).run([this.sink]);
      }
      file.statement('DELETE FROM millrace_sinks WHERE id = ?').run([this.sink]);
    });
    return Promise.resolve();
  }

  disconnect(): void {
    this.file?.close();
    this.file = undefined;
  }

  failureOf(error: unknown): SqlFailure {
    return error instanceof SqliteError ? error.failure : 'statement';
  }

  describe(error: unknown): string {
    return describeThrown(error);
  }

  /** Looks up the columns, and lets SQLite check the statement. */
  private prepareInsert(file: SharedFile): void {
    const { table, columns, mode, key, task, path } = this.parts;
    const known = file
      .cursor('SELECT name FROM pragma_table_info(?)')
      .all([table])
      .map(({ name }) => String(name));
    if (known.length === 0) {
      throw new MillraceError(
        'MILLRACE_SQL',
        `The table ${this.name} of '${task}' does not exist in ${path}. Create it, or correct \`table\` and \`path\``,
      );
    }
    for (const column of columns) assertKnownColumn(`Table ${this.name}`, column, known);
    const updates = columns
      .filter((column) => !key.includes(column))
      .map((column) => `${quoted(column)} = excluded.${quoted(column)}`);
    const action = updates.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${updates.join(', ')}`;
    const conflict = mode === 'insert' ? '' : ` ON CONFLICT (${quotedList(key)}) ${action}`;
    const values = columns.map(() => '?').join(', ');
    try {
      this.insert = file.cursor(`INSERT INTO ${this.name} (${quotedList(columns)}) VALUES (${values})${conflict}`);
    } catch (error) {
      throw new MillraceError('MILLRACE_SQL', `'${task}' cannot write to ${this.name}: ${describeThrown(error)}`, {
        cause: error,
      });
    }
  }

  private becomeOwner(file: SharedFile, { runId, task }: SinkIdentity): void {
    const target = this.parts.table;
    file
      .statement(
        `INSERT INTO millrace_sinks (run, task, target, incarnation) VALUES (?, ?, ?, 1)
        ON CONFLICT DO UPDATE SET incarnation = incarnation + 1, opened_at = CURRENT_TIMESTAMP`,
      )
      .run([runId, task, target]);
    const select = 'SELECT id, incarnation FROM millrace_sinks WHERE run = ? AND task = ? AND target = ?';
    const [owner] = file.statement(select).all([runId, task, target]);
    this.sink = owner?.['id'] ?? 0;
    this.incarnation = owner?.['incarnation'] ?? 0;
  }

  private assertOwned(file: SharedFile): void {
    const owners = file
      .statement('SELECT id FROM millrace_sinks WHERE id = ? AND incarnation = ?')
      .all([this.sink, this.incarnation]);
    if (owners.length > 0) return;
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `Another process has resumed this run and writes to ${this.name}, so '${this.parts.task}' must not. Stop one of them`,
    );
  }

  private opened(): SharedFile {
    if (this.file === undefined) throw new TypeError('The table is not open');
    return this.file;
  }
}
