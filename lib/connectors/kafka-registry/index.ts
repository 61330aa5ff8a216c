/** The entry point `millrace/kafka-registry`: formats of Kafka records whose schemas are in a schema registry. */
export { schemaRegistry, SchemaRegistry, type SchemaRegistryOptions } from './schema-registry.js';
export { avro, type AvroOptions } from './avro.js';
export { jsonSchema, type JsonSchemaOptions } from './json-schema.js';
export type { RegisteredOptions } from './subject.js';
