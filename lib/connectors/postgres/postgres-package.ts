/**
 * Loads pg, an optional peer dependency that a program installs if it uses PostgreSQL.
 *
 * Guarantees: if the package is missing, the error names it and the command that installs it.
 */
import { createRequire } from 'node:module';
import { MillraceError } from '../../connect/index.js';

type PostgresPackage = typeof import('pg');

function load(): PostgresPackage {
  try {
    return createRequire(import.meta.url)('pg') as PostgresPackage;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      'millrace/postgres needs pg, which is not installed. Install it: npm install pg',
      { cause: error },
    );
  }
}

const postgres = load();

export const { Client, Pool } = postgres;
export const types: PostgresPackage['types'] = postgres.types;
