/**
 * The entry point `millrace/spark`: queries, statements and own code on Apache Spark as sources and tasks, through
 * Spark Connect. A connection needs the packages `@grpc/grpc-js` and `@uwdata/flechette`.
 */
export { sparkSource, type SparkReadOptions, type SparkSourceOptions } from './spark-source.js';
export { sparkStatement, type SparkStatementOptions } from './spark-statement.js';
export { sparkSink, type SparkSinkOptions } from './spark-sink.js';
export { sparkSubmitTask, type SparkSubmitOptions } from './submit/spark-submit-task.js';
export { onSpark, type OnSparkOptions, type SparkWork } from './on-spark.js';
export { errorClassOf } from './spark-errors.js';
export type { SparkConnection } from './spark-remote.js';
export type { SparkFields } from './arrow-rows.js';
export type { SparkValue } from './literals.js';
