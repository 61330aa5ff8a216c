/**
 * What a schema has against a configuration, in words of whoever wrote it. Promise: every issue names its key, says what
 * was got, and for a key that does not exist names the nearest one that does.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describeValue } from '../../model/errors.js';
import { suggest } from '../../text/nearest.js';

/** More than these would hide the first. */
const MAX_SHOWN = 5;

/** All issues in one line. `schema` is looked into for the keys that exist, where its library shows them. */
export function describeConfigIssues(
  issues: readonly StandardSchemaV1.Issue[],
  config: unknown,
  schema: unknown,
): string {
  const shown = issues.slice(0, MAX_SHOWN).map((issue) => describeIssue(issue, config, schema));
  if (issues.length > MAX_SHOWN) shown.push(`and ${issues.length - MAX_SHOWN} more`);
  return shown.join('; ');
}

/** Whether a thrown thing's cause is a list of issues. */
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

/** The keys that are too many, as zod's strict objects tell them. */
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

/** Through what wraps a schema in zod: optional, nullable, default. */
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
