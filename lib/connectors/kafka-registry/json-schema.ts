/** JSON whose JSON Schema is in a registry. */
import { anObject, checkOptions, standardSchema, type OptionRules, type Schema } from '../../connect/index.js';
import { json, type SerdeFactory } from '../kafka/index.js';
import { REGISTERED_RULES, writtenSchemaId, type RegisteredOptions } from './subject.js';
import { frame, unframe } from './wire-format.js';

/** Options of `jsonSchema`. */
export interface JsonSchemaOptions<T> extends RegisteredOptions {
  /** The JSON Schema of written values, as an object. A `kafkaSink` needs it. */
  readonly schema?: object;
  /** Validates values that are read; its output is the record. Default: no validation. */
  readonly validate?: Schema<T>;
}

const RULES: OptionRules<JsonSchemaOptions<unknown>> = {
  ...REGISTERED_RULES,
  schema: anObject,
  validate: standardSchema,
};

/**
 * JSON whose schema is in a registry. A tombstone is null. Written values carry the id of `schema`; they are not
 * validated by it. Throws MILLRACE_INVALID_OPTION for options that do not fit. Reading throws MILLRACE_INVALID_INPUT
 * for a value without the id of a schema, or one that `validate` refuses.
 *
 * @example jsonSchema({ registry, schema: z.toJSONSchema(Member), validate: Member })
 */
export function jsonSchema<T = unknown>(options: JsonSchemaOptions<T>): SerdeFactory<T> {
  checkOptions('jsonSchema', options, RULES, ['registry']);
  const { registry, schema, validate } = options;
  const plain = json<T>(validate);
  return {
    open: async (use) => {
      registry.hideCredentials(use.secrets);
      const schemaId = use.direction === 'read' ? 0 : await writtenSchemaId(options, 'JSON', schema, use);
      return {
        contentType: plain.contentType,
        serialize: (value) => {
          const payload = plain.serialize(value);
          return payload === null ? null : frame({ schemaId, payload });
        },
        deserialize: (bytes) => plain.deserialize(bytes === null ? null : unframe(bytes).payload),
      };
    },
  };
}
