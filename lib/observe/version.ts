/** The version of this copy of millrace. */
import { readFileSync } from 'node:fs';

/** The version in the package.json of this copy. */
export function versionOfMillrace(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
