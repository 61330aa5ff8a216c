/**
 * Files of SQLite, behind one small interface: by Node itself (`node:sqlite`), or else by the package
 * node-sqlite3-wasm. Both use the same file format.
 *
 * Guarantees: if there is neither, the error names the package and the command that installs it. The meaning of an
 * error is in `failure`; no decision depends on the text of a message.
 */
import { createRequire } from 'node:module';
import { describeThrown, MillraceError } from '../model/errors.js';
import type * as NodeSqliteModule from './node-sqlite-types.js';

/** A value as SQLite stores it. */
export type SqliteStored = number | bigint | string | Uint8Array | null;
/** A row by column name. */
export type SqliteFields = Record<string, SqliteStored>;

export interface SqliteStatement {
  /** Returns the number of changed rows. */
  run(values: readonly SqliteStored[]): number;
  all(values: readonly SqliteStored[]): SqliteFields[];
  iterate(values: readonly SqliteStored[]): Iterator<SqliteFields>;
}

/** A file that is open. */
export interface SqliteFile {
  /** Whether only this connection may use the file. */
  readonly isExclusive: boolean;
  /** Executes statements without parameters. */
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  /** @param last executed when every statement has ended, if it is not empty. */
  close(last: string): void;
}

/** The implementation of SQLite. */
export type SqliteEngine = 'node' | 'wasm';

/**
 * `again`: another connection holds a lock. `row`: the values are refused. `statement`: the statement or the file is
 * wrong.
 */
export type SqliteFailure = 'again' | 'row' | 'statement';

/** An error of SQLite. */
export class SqliteError extends Error {
  readonly failure: SqliteFailure;

  constructor(failure: SqliteFailure, cause: unknown) {
    super(describeThrown(cause), { cause });
    this.failure = failure;
  }
}

type NodeSqlite = typeof NodeSqliteModule;
type WasmSqlite = typeof import('node-sqlite3-wasm');
type WasmStatement = ReturnType<InstanceType<WasmSqlite['Database']>['prepare']>;

/** Opens a file, or makes it. ':memory:' is a database in memory. */
export function openSqlite(path: string, engine?: SqliteEngine): SqliteFile {
  const own = engine === 'wasm' ? undefined : nodeSqlite();
  return own === undefined ? new WasmFile(loadWasm(), path) : new NodeFile(own, path);
}

/** Whether this Node has `node:sqlite` without a flag. */
export function hasNodeSqlite(): boolean {
  return nodeSqlite() !== undefined;
}

function nodeSqlite(): NodeSqlite | undefined {
  const own = (process as { getBuiltinModule?: (name: string) => unknown }).getBuiltinModule?.('node:sqlite');
  const builtIn = own as NodeSqlite | undefined;
  // The first versions cannot return rows one by one.
  return typeof builtIn?.StatementSync.prototype.iterate === 'function' ? builtIn : undefined;
}

function loadWasm(): WasmSqlite {
  try {
    return createRequire(import.meta.url)('node-sqlite3-wasm') as WasmSqlite;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      `SQLite needs Node 22.13 or later, or node-sqlite3-wasm, which is not installed. Install it: npm install node-sqlite3-wasm`,
      { cause: error },
    );
  }
}

/** Result codes: sqlite.org/rescode.html. The low byte of an extended code is the primary one. */
const AGAIN = new Set([5, 6, 261]);
const ROW = new Set([18, 19, 20]);

class NodeFile implements SqliteFile {
  readonly isExclusive = false;
  private readonly database: InstanceType<NodeSqlite['DatabaseSync']>;

  constructor({ DatabaseSync }: NodeSqlite, path: string) {
    this.database = this.guarded(() => new DatabaseSync(path));
  }

  exec(sql: string): void {
    this.guarded(() => {
      this.database.exec(sql);
    });
  }

  prepare(sql: string): SqliteStatement {
    const statement = this.guarded(() => this.database.prepare(sql));
    statement.setReadBigInts(true);
    return {
      run: (values) => {
        const { changes } = this.guarded(() => statement.run(...values));
        return Number(changes);
      },
      all: (values) => this.guarded(() => statement.all(...values).map(withNumbers)),
      iterate: (values) => {
        const rows = this.guarded(() => statement.iterate(...values));
        return {
          next: () => {
            const next = this.guarded(() => rows.next());
            return next.done === true ? { done: true, value: undefined } : { value: withNumbers(next.value) };
          },
          return: () => {
            rows.return?.();
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  close(last: string): void {
    if (last !== '') this.exec(last);
    this.database.close();
  }

  private guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const { errcode } = error as { readonly errcode?: number };
      if (errcode === undefined) throw error;
      const primary = errcode & 0xff;
      throw new SqliteError(AGAIN.has(primary) ? 'again' : ROW.has(primary) ? 'row' : 'statement', error);
    }
  }
}

/** Converts each bigint that a number represents exactly to a number. */
function withNumbers(row: Record<string, unknown>): SqliteFields {
  const fields: SqliteFields = {};
  for (const [name, value] of Object.entries(row as SqliteFields)) {
    const isSafe = typeof value === 'bigint' && Number.isSafeInteger(Number(value));
    fields[name] = isSafe ? Number(value) : value;
  }
  return fields;
}

/** The errors of this package have no codes, so their meaning follows from the call that failed. */
class WasmFile implements SqliteFile {
  readonly isExclusive = true;
  private readonly statements = new Set<WasmStatement>();
  private readonly database: InstanceType<WasmSqlite['Database']>;

  constructor({ Database }: WasmSqlite, path: string) {
    this.database = guarded('statement', () => new Database(path));
  }

  exec(sql: string): void {
    // This file locks itself when it is opened and stays locked, so only a conflict with a lock fails here.
    guarded('again', () => {
      this.database.exec(sql);
    });
  }

  prepare(sql: string): SqliteStatement {
    const make = (): WasmStatement => {
      const made = guarded('statement', () => this.database.prepare(sql));
      this.statements.add(made);
      return made;
    };
    let statement = make();
    const execute = <T>(work: () => T): T => {
      const isWithin = this.isInTransaction();
      try {
        return work();
      } catch (error) {
        // A statement of this package that has failed reports its error once more at its next use.
        this.end(statement);
        // A full disk and other faults of the database end the transaction. A bad row does not.
        const isOver = isWithin && !this.isInTransaction();
        statement = make();
        throw new SqliteError(isOver ? 'statement' : 'row', error);
      }
    };
    return {
      run: (values) => execute(() => statement.run([...values])).changes,
      all: (values) => execute(() => statement.all([...values]) as SqliteFields[]),
      iterate: (values) => {
        const rows = execute(() => statement.iterate([...values]) as IterableIterator<SqliteFields>);
        return {
          next: () => execute(() => rows.next()),
          return: () => rows.return?.() ?? { done: true, value: undefined },
        };
      },
    };
  }

  close(last: string): void {
    // A statement that has not ended keeps the file open, and locked.
    for (const statement of this.statements) this.end(statement);
    if (last !== '') this.exec(last);
    this.database.close();
  }

  private isInTransaction(): boolean {
    return this.database.inTransaction;
  }

  private end(statement: WasmStatement): void {
    this.statements.delete(statement);
    try {
      statement.finalize();
    } catch {
      // The call reports the error of the last use of the statement, which is already known.
    }
  }
}

function guarded<T>(failure: SqliteFailure, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new SqliteError(failure, error);
  }
}
