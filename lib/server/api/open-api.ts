/** The OpenAPI 3.1 document of the API, from the routes and the schemas that validate them. */
import { z } from 'zod';
import type { Json } from '../../model/json.js';
import type { RouteRole } from './roles.js';

/** A route as it was added to the application. */
export interface DocumentedRoute {
  readonly method: string;
  /** With `:name` for parameters. */
  readonly url: string;
  readonly role: RouteRole;
  readonly summary: string;
  readonly schema: {
    readonly params?: unknown;
    readonly querystring?: unknown;
    readonly body?: unknown;
    readonly response?: unknown;
  };
}

export function openApiOf(routes: readonly DocumentedRoute[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.url.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'millrace serve', version, description: 'Schedule, run and monitor workflows' },
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

function operationOf({ summary, role, schema }: DocumentedRoute): Json {
  const answers = Object.entries((schema.response ?? {}) as Readonly<Record<string, unknown>>);
  return {
    summary,
    description: role === 'public' ? 'Needs no token.' : `Needs the role ${role}.`,
    security: role === 'public' ? [] : [{ token: [] }],
    parameters: [...parametersOf('path', schema.params), ...parametersOf('query', schema.querystring)],
    ...(schema.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: jsonSchemaOf(schema.body, 'input') } },
          },
        }),
    responses: Object.fromEntries(
      answers.map(([status, answer]) => [
        status,
        {
          description: `Status ${status}`,
          content: { 'application/json': { schema: jsonSchemaOf(answer, 'output') } },
        },
      ]),
    ),
  };
}

function parametersOf(where: 'path' | 'query', schema: unknown): readonly Json[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const shape = schema.shape as Readonly<Record<string, z.ZodType>>;
  return Object.entries(shape).map(([name, type]) => ({
    name,
    in: where,
    required: where === 'path' || !type.safeParse(undefined).success,
    schema: jsonSchemaOf(type, 'input'),
  }));
}

function jsonSchemaOf(schema: unknown, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema as z.ZodType, { io, unrepresentable: 'any' });
  return rest as Json;
}
