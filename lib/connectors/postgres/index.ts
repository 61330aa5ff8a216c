/** The door `millrace/postgres`: tables and queries of PostgreSQL as sources, sinks and tasks. It needs the package pg. */
export { PostgresSink, postgresSink, type PostgresSinkOptions, type PostgresValue } from './postgres-sink.js';
export type { PostgresMode, PostgresRow } from './postgres-table.js';
export type { PostgresConnection } from './postgres-connection.js';
