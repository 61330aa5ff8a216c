/** The place in a registry of the schema of written values. */
import { flag, invalidOption, madeBy, text, type OptionRules } from '../../connect/index.js';
import type { SerdeUse } from '../kafka/index.js';
import { SchemaRegistry, type SchemaType } from './schema-registry.js';

/** Options that all formats with a registry have. */
export interface RegisteredOptions {
  /** The registry, made by `schemaRegistry`. */
  readonly registry: SchemaRegistry;
  /**
   * The subject under which the schema of written values is found. Default: the topic, followed by `-value` or `-key`.
   */
  readonly subject?: string;
  /** Registers the schema of written values if it is missing. Default false: the schema must exist. */
  readonly register?: boolean;
}

export const REGISTERED_RULES: OptionRules<RegisteredOptions> = {
  registry: madeBy(SchemaRegistry, 'schemaRegistry()'),
  subject: text,
  register: flag,
};

/** The id of the schema of written values. Rejects with MILLRACE_INVALID_OPTION if there is no schema. */
export async function writtenSchemaId(
  { registry, subject, register = false }: RegisteredOptions,
  type: SchemaType,
  schema: object | string | undefined,
  use: SerdeUse,
): Promise<number> {
  if (schema === undefined) {
    const format = type === 'AVRO' ? 'avro()' : 'jsonSchema()';
    throw invalidOption(
      `${format} needs \`schema\` where values are written, got undefined. Add the schema of the values`,
    );
  }
  const name = subject ?? `${use.topic}-${use.part}`;
  const content = typeof schema === 'string' ? schema : JSON.stringify(schema);
  return registry.idOf({ subject: name, type, schema: content }, register, use.signal);
}
