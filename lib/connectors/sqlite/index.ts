/**
 * The entry point `millrace/sqlite`: tables and queries of SQLite files as sources, sinks and tasks. It needs a Node
 * with `node:sqlite`, or the package node-sqlite3-wasm.
 */
export { sqliteSink, type SqliteSinkOptions, type SqliteValue } from './sqlite-sink.js';
export { sqliteSource, type SqliteSourceOptions } from './sqlite-source.js';
export { sqlStatement, type SqlStatementOptions } from './sql-statement.js';
export type { SqliteFields, SqliteStored } from '../../storage/sqlite.js';
export type { SqliteMode } from './sqlite-table.js';
