/**
 * The secrets of a configuration and of the settings that override it.
 *
 * Guarantees: each value that came from the environment is a secret, except paths, and values that are too short or too
 * ordinary to be one; a setting with a secret is never kept with its value.
 */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { secretsIn } from '../../text/find-secrets.js';
import type { Secrets } from '../../text/secrets.js';
import { absolutePath, type JobPlace } from '../place.js';
import { keyOf, pathOf } from './setting-key.js';

/** The value of a setting that is not kept. */
const NOT_KEPT = '***';

/** Adds the value of an environment variable to the secrets, unless it is a path. */
export function hideVariable(value: string, secrets: Secrets, place: JobPlace): void {
  if (!isPath(value, place)) secrets.addVariable(value);
}

/** Adds the secret in `key=value`, if there is one. */
export function hideSetting(setting: string, secrets: Secrets): void {
  for (const secret of secretsOfSetting(setting)) secrets.add(secret);
}

/** The setting without its secret: `password=abc` becomes `password=***`. A reference `${NAME}` is not a secret. */
export function settingToKeep(setting: string): string {
  return secretsOfSetting(setting).length === 0 ? setting : `${keyOf(setting)}=${NOT_KEPT}`;
}

/** The key of a setting whose value was not kept; undefined for any other setting. */
export function keyWithoutValue(setting: string): string | undefined {
  const key = keyOf(setting);
  return setting === `${key}=${NOT_KEPT}` ? key : undefined;
}

function secretsOfSetting(setting: string): readonly string[] {
  const key = keyOf(setting);
  // Values of environment variables are added to the secrets by `hideVariable`.
  const value = setting.slice(key.length + 1).replace(/\$\{[A-Za-z_]\w*\}/g, '');
  if (value === '' || value === NOT_KEPT) return [];
  const config = [...pathOf(key)].reduceRight<unknown>((inner, name) => ({ [name]: inner }), parsed(value));
  return secretsIn(config);
}

/** The value of a setting, parsed as JSON if it is JSON. */
function parsed(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** True for an existing file or folder, and for a file in an existing folder that is not the root. */
function isPath(value: string, place: JobPlace): boolean {
  if (value.includes('\0') || !(isAbsolute(value) || /^\.{1,2}[\\/]/.test(value))) return false;
  const path = absolutePath(place, value);
  const folder = dirname(path);
  return existsSync(path) || (folder !== dirname(folder) && existsSync(folder));
}
