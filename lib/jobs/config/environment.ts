/**
 * Replaces each `${NAME}` in the strings of a configuration by an environment variable, so that files need not hold
 * keys and hosts.
 *
 * Guarantees: a missing variable is an error that names it and the key; it is never replaced by an empty text.
 */
import { MillraceError } from '../../model/errors.js';
import type { JsonValue } from './strict-json.js';

/** `$${` is a plain `${`; the braces must hold a name. */
const PLACE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The value with each `${NAME}` replaced, at any depth; keys stay as they are. Throws MILLRACE_CONFIG. */
export function replaceEnvironment<Value extends JsonValue>(
  value: Value,
  environment: Readonly<Record<string, string | undefined>>,
): Value {
  return replace(value, environment, []) as Value;
}

function replace(
  value: JsonValue,
  environment: Readonly<Record<string, string | undefined>>,
  path: readonly string[],
): JsonValue {
  if (typeof value === 'string') return replaceIn(value, environment, path.join('.'));
  if (Array.isArray(value)) return value.map((item, index) => replace(item, environment, [...path, String(index)]));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, replace(inner, environment, [...path, key])]);
  return Object.fromEntries(entries) as JsonValue;
}

function replaceIn(text: string, environment: Readonly<Record<string, string | undefined>>, key: string): string {
  return text.replace(PLACE, (place, name: string | undefined, end: string | undefined) => {
    if (name === undefined) return '${';
    if (end === '' || !NAME.test(name)) {
      throw new MillraceError(
        'MILLRACE_CONFIG',
        `The config key '${key}' has '${place}', which names no environment variable. Write \${NAME}, or $\${ for a plain \${`,
      );
    }
    const found = environment[name];
    if (found !== undefined) return found;
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `The config key '${key}' needs the environment variable ${name}, which is not set. Set it, or write the value itself`,
    );
  });
}
