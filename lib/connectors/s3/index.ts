/** The entry point `millrace/s3`: object stores as a place of CSV, NDJSON and Parquet files. */
export { s3Store } from './s3-store.js';
export type { S3Credentials, S3Options } from './s3-settings.js';
