/**
 * The entry point `millrace/duckdb`: queries of DuckDB over files as sources, and Parquet files as sources and sinks.
 * It needs the package `@duckdb/node-api`.
 */
export { duckdbSource, type DuckdbSourceOptions } from './duckdb-source.js';
export type { DuckdbFiles, DuckdbFileSet, DuckdbFormat } from './input-files.js';
export { files, type FilesOptions, type FileSelection } from '../files/file-selection.js';
export { parquetSink, type ParquetSinkOptions } from './parquet-sink.js';
export { parquetSource, type ParquetSourceOptions } from './parquet-source.js';
export type { DuckdbFields } from './row-chunks.js';
