/**
 * Settings, `a.b=value`: single values that override those of the config file.
 *
 * Guarantees: the given config is never changed; a value that is JSON is parsed as JSON, any other value is a string.
 */
import { MillraceError, describeValue } from '../../model/errors.js';
import { keyOf, pathOf } from './setting-key.js';
import { FORBIDDEN_KEYS, JsonError, parseStrictJson, type JsonObject, type JsonValue } from './strict-json.js';

export interface Setting {
  /** The keys, outermost first. */
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/** Parses one setting. Throws MILLRACE_USAGE. */
export function parseSetting(given: string): Setting {
  const key = keyOf(given);
  const path = pathOf(key);
  if (key.length === given.length) {
    throw refuse(`Expected a setting to be key=value, such as concurrency=16, got '${given}'`);
  }
  if (path.includes('')) {
    throw refuse(`Expected a key before the = of the setting '${given}', with a dot between nested keys such as a.b=1`);
  }
  const forbidden = path.find((key) => FORBIDDEN_KEYS.includes(key));
  if (forbidden !== undefined)
    throw refuse(`The key '${forbidden}' of the setting '${given}' is not allowed. Use another key`);
  return { path, value: valueOf(given.slice(key.length + 1), given) };
}

/** The config with the settings applied in order. Throws MILLRACE_USAGE. */
export function applySettings(config: JsonObject, settings: readonly Setting[]): JsonObject {
  const result = structuredClone(config);
  for (const setting of settings) apply(result, setting);
  return result;
}

function valueOf(text: string, given: string): JsonValue {
  try {
    return parseStrictJson(text);
  } catch (error) {
    if (error instanceof JsonError && error.kind === 'syntax') return text;
    throw refuse(`The value of the setting '${given}' is not accepted: ${(error as Error).message}`);
  }
}

function apply(config: JsonObject, { path, value }: Setting): void {
  let here: JsonObject | JsonValue[] = config;
  path.forEach((key, depth) => {
    const name = path.slice(0, depth).join('.');
    if (Array.isArray(here) && !isPlaceIn(here, key)) {
      throw refuse(
        `The setting '${path.join('.')}' is not accepted: '${name}' is a list of ${here.length}, so '${key}' must be a number up to ${here.length}`,
      );
    }
    // A list accepts its index as a key as well as a number.
    const fields = here as JsonObject;
    if (depth === path.length - 1) {
      fields[key] = value;
      return;
    }
    const inner = (Object.hasOwn(fields, key) ? fields[key] : undefined) ?? {};
    if (typeof inner !== 'object') {
      throw refuse(
        `The setting '${path.join('.')}' is not accepted: '${path.slice(0, depth + 1).join('.')}' is ${describeValue(inner)}, which has no keys`,
      );
    }
    fields[key] = inner;
    here = inner;
  });
}

function isPlaceIn(list: readonly JsonValue[], key: string): boolean {
  return /^(0|[1-9]\d*)$/.test(key) && Number(key) <= list.length;
}

function refuse(message: string): MillraceError {
  return new MillraceError('MILLRACE_USAGE', message);
}
