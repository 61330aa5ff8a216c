/**
 * The entry point `millrace/kafka`: topics as sources and sinks. Importing it loads no client; the first run that
 * connects does.
 */
export { kafka, KafkaCluster, type KafkaOptions, type KafkaSaslOptions } from './cluster.js';
export { kafkaSource, type KafkaRecord, type KafkaSourceOptions } from './kafka-source.js';
export type { KafkaStart } from './source-start.js';
export type { OffsetLostPolicy } from './topic-reader.js';
export { kafkaSink, type KafkaSinkOptions } from './kafka-sink.js';
export type { Compression } from './port.js';
export { bytes, json, string, type Serde, type SerdeFactory, type SerdeUse } from './serde.js';
