/** The door `millrace/postgres`: tables and queries of PostgreSQL as sources, sinks and tasks. It needs the package pg. */
export { PostgresSink, postgresSink, type PostgresSinkOptions, type PostgresValue } from './postgres-sink.js';
export { PostgresSource, postgresSource, type PostgresFields, type PostgresSourceOptions } from './postgres-source.js';
export type { PostgresMode, PostgresRow } from './postgres-table.js';
export type { PostgresConnection } from './postgres-connection.js';
export { sqlStatement, type SqlStatementOptions } from './sql-statement.js';
