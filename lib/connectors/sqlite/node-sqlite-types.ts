/** The part of `node:sqlite` that is used. The types of the oldest supported Node do not have the module. */
import type { SqliteStored } from './sqlite-driver.js';

type Row = Record<string, unknown>;

/** A prepared statement. */
export declare class StatementSync {
  setReadBigInts(isEnabled: boolean): void;
  run(...values: readonly SqliteStored[]): unknown;
  all(...values: readonly SqliteStored[]): Row[];
  iterate(...values: readonly SqliteStored[]): IterableIterator<Row>;
}

/** A file. */
export declare class DatabaseSync {
  constructor(path: string);
  exec(sql: string): void;
  prepare(sql: string): StatementSync;
  close(): void;
}
