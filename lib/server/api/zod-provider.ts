/** Zod as the validator, the serializer and the type provider of Fastify. */
import type { FastifySchemaCompiler, FastifyTypeProvider } from 'fastify';
import type { FastifySerializerCompiler } from 'fastify/types/schema.js';
import { z } from 'zod';

export interface ZodProvider extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  readonly serializer: this['schema'] extends z.ZodType ? z.input<this['schema']> : unknown;
}

export const validateByZod: FastifySchemaCompiler<z.ZodType> = ({ schema }) => {
  return (data) => {
    const result = schema.safeParse(data);
    return result.success ? { value: result.data } : { error: new Error(inWords(result.error, data)) };
  };
};

/** An answer that does not fit its schema is a bug, and is not sent. */
export const serializeByZod: FastifySerializerCompiler<z.ZodType> = ({ schema }) => {
  return (data) => JSON.stringify(schema.parse(data));
};

function inWords({ issues }: z.ZodError, data: unknown): string {
  const [first] = issues;
  const where = first === undefined || first.path.length === 0 ? '' : `'${first.path.map(String).join('.')}': `;
  return `${where}${first?.message ?? 'The request does not fit its schema'}${data === undefined ? ', got nothing' : ''}`;
}
