/**
 * SQLite behind one small interface: `node:sqlite` where this Node has it, WebAssembly where not. Both use the same file format.
 *
 * Guarantees: the caller is the only owner of the file, which a lease must ensure: a lock that a killed owner has left is removed.
 */
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';

export type SqlValue = number | string | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface SqlDatabase {
  /** Executes statements without parameters. */
  exec(sql: string): void;
  /** Executes one statement, and returns the number of changed rows. */
  run(sql: string, values: readonly SqlValue[]): number;
  all(sql: string, values: readonly SqlValue[]): readonly SqlRow[];
  close(): void;
}

export type SqliteEngine = 'node' | 'wasm';

const IN_MEMORY = ':memory:';

/** Opens the file, or a database in memory for ':memory:'. The engine defaults to that of this Node. */
export function openSqlite(path: string, engine: SqliteEngine = hasNodeSqlite() ? 'node' : 'wasm'): SqlDatabase {
  const database = engine === 'node' ? openNode(path) : openWasm(path);
  // One process owns the file, so the locks of the file system are not needed between statements.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  if (path !== IN_MEMORY) database.all('PRAGMA journal_mode = WAL', []);
  return database;
}

/** Whether this Node has `node:sqlite` without a flag. */
export function hasNodeSqlite(): boolean {
  return nodeSqlite() !== undefined;
}

interface NodeStatement {
  run(...values: readonly SqlValue[]): { readonly changes: number | bigint };
  all(...values: readonly SqlValue[]): readonly SqlRow[];
}
interface NodeDatabase {
  exec(sql: string): void;
  prepare(sql: string): NodeStatement;
  close(): void;
}
type NodeSqlite = { readonly DatabaseSync: new (path: string) => NodeDatabase };

/** The types of Node 20 do not know it. */
function nodeSqlite(): NodeSqlite | undefined {
  const { getBuiltinModule } = process as { getBuiltinModule?: (this: void, name: string) => unknown };
  return getBuiltinModule?.('node:sqlite') as NodeSqlite | undefined;
}

function openNode(path: string): SqlDatabase {
  const { DatabaseSync } = nodeSqlite() as NodeSqlite;
  const database = new DatabaseSync(path);
  const prepared = new Map<string, NodeStatement>();
  const prepare = (sql: string): NodeStatement => {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  return {
    exec: (sql) => {
      database.exec(sql);
    },
    run: (sql, values) => Number(prepare(sql).run(...values).changes),
    all: (sql, values) => prepare(sql).all(...values),
    close: () => {
      database.close();
    },
  };
}

function openWasm(path: string): SqlDatabase {
  const require = createRequire(import.meta.url);
  const { Database } = require('node-sqlite3-wasm') as typeof import('node-sqlite3-wasm');
  // Its lock is a folder, which stays behind when its owner is killed.
  if (path !== IN_MEMORY) rmSync(`${path}.lock`, { recursive: true, force: true });
  const database = new Database(path);
  return {
    exec: (sql) => {
      database.exec(sql);
    },
    run: (sql, values) => database.run(sql, [...values]).changes,
    all: (sql, values) => database.all(sql, [...values]) as SqlRow[],
    close: () => {
      database.close();
    },
  };
}
