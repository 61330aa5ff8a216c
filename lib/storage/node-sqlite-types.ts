/** The part of `node:sqlite` that is used. The types of the oldest supported Node do not have the module. */

type Value = number | bigint | string | Uint8Array | null;
type Row = Record<string, unknown>;

/** A prepared statement. */
export declare class StatementSync {
  setReadBigInts(isEnabled: boolean): void;
  run(...values: readonly Value[]): { readonly changes: number | bigint };
  all(...values: readonly Value[]): Row[];
  iterate(...values: readonly Value[]): IterableIterator<Row>;
}

/** A file. */
export declare class DatabaseSync {
  constructor(path: string);
  exec(sql: string): void;
  prepare(sql: string): StatementSync;
  close(): void;
}
