/**
 * The issues of a configuration with its schema, in words for the author of the configuration.
 *
 * Guarantees: each issue names its key and the value there and, for an unknown key, the nearest known one.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describeValue } from '../../model/errors.js';
import { suggest } from '../../text/nearest.js';

/** The most issues to show: a longer list would hide the first. */
const MAX_SHOWN = 5;

/** The first issues in one line. If the library of `schema` shows the known keys, they are used for suggestions. */
export function describeConfigIssues(
  issues: readonly StandardSchemaV1.Issue[],
  config: unknown,
  schema: unknown,
): string {
  const shown = issues.slice(0, MAX_SHOWN).map((issue) => describeIssue(issue, config, schema));
  if (issues.length > MAX_SHOWN) shown.push(`and ${issues.length - MAX_SHOWN} more`);
  return shown.join('; ');
}

/** True if the cause of a thrown error is a list of issues. */
export function isIssues(cause: unknown): cause is readonly StandardSchemaV1.Issue[] {
  return Array.isArray(cause) && cause.every((issue) => isRecord(issue) && typeof issue['message'] === 'string');
}

function describeIssue(issue: StandardSchemaV1.Issue, config: unknown, schema: unknown): string {
  const path = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
  const unknownKeys = keysOf(issue);
  if (unknownKeys !== undefined) {
    const known = knownKeys(schema, path);
    return unknownKeys.map((key) => `there is no key '${nameOf([...path, key])}'.${suggest(key, known)}`).join('; ');
  }
  const name = path.length === 0 ? 'the whole' : `'${nameOf(path)}'`;
  const { isThere, value } = dig(config, path);
  if (!isThere) return `${name} is missing (${issue.message})`;
  return `${name}: ${issue.message}, got ${describeValue(value)}`;
}

/** The unknown keys, as the strict objects of zod report them. */
function keysOf(issue: StandardSchemaV1.Issue): readonly string[] | undefined {
  const { code, keys } = issue as { code?: unknown; keys?: unknown };
  return code === 'unrecognized_keys' && Array.isArray(keys) ? keys.map(String) : undefined;
}

function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] {
  let here = schema;
  for (const key of path) here = memberOf(here, key);
  const shape = shapeOf(here);
  return shape === undefined ? [] : Object.keys(shape);
}

function memberOf(schema: unknown, key: PropertyKey): unknown {
  const shape = shapeOf(schema);
  if (shape !== undefined) return shape[String(key)];
  const inner = unwrap(schema);
  return isRecord(inner) ? inner['element'] : undefined;
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const inner = unwrap(schema);
  const shape = isRecord(inner) ? inner['shape'] : undefined;
  return isRecord(shape) ? shape : undefined;
}

/** Unwraps the schema from the wrappers of zod: optional, nullable, default. */
function unwrap(schema: unknown): unknown {
  let here = schema;
  while (isRecord(here) && !isRecord(here['shape']) && isRecord(here['def']) && isRecord(here['def']['innerType'])) {
    here = here['def']['innerType'];
  }
  return here;
}

function dig(config: unknown, path: readonly PropertyKey[]): { isThere: boolean; value: unknown } {
  let value = config;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key))
      return { isThere: false, value: undefined };
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return { isThere: true, value };
}

function nameOf(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
