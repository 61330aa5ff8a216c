/** A SQLite file of one owner as the database of a store. It answers at once, so no two works ever overlap. */
import type { OwnedDatabase } from './owned-database.js';
import type { SqlDatabase, SqlFields, SqlStatement, SqlWork, TransactOptions } from './sql-database.js';
import { assertServer } from './sql-servers.js';

export class SqliteDatabase implements SqlDatabase {
  private readonly database: OwnedDatabase;
  private readonly now: () => number;
  private committed = 0;

  /** @param now the time of the leases of servers, in milliseconds since 1970. */
  constructor(database: OwnedDatabase, now: () => number) {
    this.database = database;
    this.now = now;
  }

  get clock(): string {
    return String(Math.floor(this.now()));
  }

  read<Result>(work: () => SqlWork<Result>): Promise<Result> {
    return new Promise((resolve) => {
      resolve(this.execute(work()));
    });
  }

  transact<Result>(work: () => SqlWork<Result>, { server }: TransactOptions = {}): Promise<Result> {
    return new Promise((resolve) => {
      this.database.exec('BEGIN IMMEDIATE');
      try {
        if (server !== undefined) this.execute(assertServer(server));
        const result = this.execute(work());
        this.database.exec('COMMIT');
        this.committed++;
        resolve(result);
      } catch (error) {
        this.database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  changes(): Promise<number> {
    return Promise.resolve(this.committed);
  }

  backUp(path: string): Promise<void> {
    return new Promise((resolve) => {
      this.database.run('VACUUM INTO ?', [path]);
      resolve();
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.database.close();
      resolve();
    });
  }

  private execute<Result>(work: SqlWork<Result>): Result {
    let step = work.next();
    while (step.done !== true) step = work.next(this.answer(step.value));
    return step.value;
  }

  private answer({ text, values, answers }: SqlStatement): { rows: readonly SqlFields[]; changed: number } {
    return answers === 'rows'
      ? { rows: this.database.all(text, values), changed: 0 }
      : { rows: [], changed: this.database.run(text, values) };
  }
}
