/**
 * The entry point `millrace/postgres`: tables and queries of PostgreSQL as sources, sinks and tasks. It needs the
 * package `pg`.
 */
export { postgresSink, type PostgresSinkOptions, type PostgresValue } from './postgres-sink.js';
export { postgresSource, type PostgresFields, type PostgresSourceOptions } from './postgres-source.js';
export { sqlStatement, type SqlStatementOptions } from './sql-statement.js';
export type { PostgresConnection } from './postgres-connection.js';
export type { PostgresMode } from './postgres-table.js';
