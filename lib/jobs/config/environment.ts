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

/** The variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The value with each `${NAME}` replaced, at any depth; keys stay as they are. `onUsed` is called with the name and the
 * value of each variable that is used. Throws MILLRACE_CONFIG.
 */
export function replaceEnvironment<Value extends JsonValue>(
  value: Value,
  environment: Environment,
  onUsed: (name: string, value: string) => void = () => undefined,
): Value {
  const variables: Variables = {
    find: (name) => {
      // `constructor` and other names that each object inherits are not variables.
      const found = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (found !== undefined) onUsed(name, found);
      return found;
    },
  };
  return replace(value, variables, []) as Value;
}

interface Variables {
  /** The value of the variable; undefined if it is not set. */
  find(name: string): string | undefined;
}

function replace(value: JsonValue, variables: Variables, path: readonly string[]): JsonValue {
  if (typeof value === 'string') return replaceIn(value, variables, path.join('.'));
  if (Array.isArray(value)) return value.map((item, index) => replace(item, variables, [...path, String(index)]));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, replace(inner, variables, [...path, key])]);
  return Object.fromEntries(entries) as JsonValue;
}

function replaceIn(text: string, variables: Variables, key: string): string {
  return text.replace(PLACE, (place, name: string | undefined, end: string | undefined) => {
    if (name === undefined) return '${';
    if (end === '' || !NAME.test(name)) {
      throw new MillraceError(
        'MILLRACE_CONFIG',
        `The config key '${key}' has '${place}', which names no environment variable. Write \${NAME}, or $\${ for a plain \${`,
      );
    }
    const found = variables.find(name);
    if (found !== undefined) return found;
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `The config key '${key}' needs the environment variable ${name}, which is not set. Set it, or write the value itself`,
    );
  });
}
