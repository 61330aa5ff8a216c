/**
 * Loads @opentelemetry/api, an optional peer dependency that a program installs if it wants traces.
 *
 * Guarantees: if the package is missing, the error names it and the command that installs it. The package is loaded by
 * `require`, not by `import()`, so that CommonJS code can `require` the entry point `millrace/opentelemetry`: a dynamic
 * import needs top-level await, and a module with top-level await cannot be required.
 */
import { createRequire } from 'node:module';
import { MillraceError } from '../model/errors.js';

const NAME = '@opentelemetry/api';

function load(): typeof import('@opentelemetry/api') {
  try {
    return createRequire(import.meta.url)(NAME) as typeof import('@opentelemetry/api');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      `millrace/opentelemetry needs ${NAME}, which is not installed. Install it: npm install ${NAME}`,
      { cause: error },
    );
  }
}

export const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = load();
