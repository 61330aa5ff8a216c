/**
 * The SQLite file of a server, which one process owns.
 *
 * Guarantees: the caller is the only owner of the file, which a lease must ensure: a lock that a killed owner has left
 * is removed. What was committed survives the loss of power.
 */
import { rmSync } from 'node:fs';
import {
  openSqlite,
  type SqliteEngine,
  type SqliteFields,
  type SqliteFile,
  type SqliteStatement,
  type SqliteStored,
} from '../../storage/sqlite.js';

const IN_MEMORY = ':memory:';

export class OwnedDatabase {
  private readonly file: SqliteFile;
  private readonly statements = new Map<string, SqliteStatement>();

  /** Opens the file, or a database in memory for ':memory:'. The engine defaults to that of this Node. */
  constructor(path: string, engine?: SqliteEngine) {
    // The lock of node-sqlite3-wasm is a folder, which stays behind when its owner is killed.
    if (path !== IN_MEMORY) rmSync(`${path}.lock`, { recursive: true, force: true });
    this.file = openSqlite(path, engine);
    // One process owns the file, so the locks of the file system are not needed between statements.
    this.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    if (path !== IN_MEMORY) this.all('PRAGMA journal_mode = WAL', []);
  }

  /** Executes statements without parameters. */
  exec(sql: string): void {
    this.file.exec(sql);
  }

  /** Executes one statement, and returns the number of changed rows. */
  run(sql: string, values: readonly SqliteStored[]): number {
    return this.prepare(sql).run(values);
  }

  all(sql: string, values: readonly SqliteStored[]): readonly SqliteFields[] {
    return this.prepare(sql).all(values);
  }

  close(): void {
    this.statements.clear();
    this.file.close('');
  }

  private prepare(sql: string): SqliteStatement {
    const statement = this.statements.get(sql) ?? this.file.prepare(sql);
    this.statements.set(sql, statement);
    return statement;
  }
}
