/**
 * Loads @duckdb/node-api, an optional peer dependency that a program installs if it uses DuckDB.
 *
 * Guarantees: importing this file loads nothing, so a workflow may use DuckDB for some of its configurations only. If
 * the package is missing, the error names it and the command that installs it.
 */
import { createRequire } from 'node:module';
import { MillraceError } from '../../connect/index.js';
import { systemCodeOf } from '../../connect/files.js';

type DuckdbPackage = typeof import('@duckdb/node-api');

const NAME = '@duckdb/node-api';
const requireHere = createRequire(import.meta.url);

/** Throws MILLRACE_MISSING_PACKAGE if the package is not installed. Does not load it. */
export function assertDuckdb(): void {
  orMissing(() => requireHere.resolve(NAME));
}

/** The package. Throws MILLRACE_MISSING_PACKAGE if it is not installed. */
export function duckdbPackage(): DuckdbPackage {
  return orMissing(() => requireHere(NAME) as DuckdbPackage);
}

function orMissing<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    if (systemCodeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      `millrace/duckdb needs ${NAME}, which is not installed. Install it: npm install ${NAME}`,
      { cause: error },
    );
  }
}
