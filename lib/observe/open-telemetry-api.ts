/**
 * @opentelemetry/api, an optional peer, which whoever traces installs. Promise: where it is not there, that is said with
 * what to do. It is required and not imported, so that the door can also be required: an import that may fail must be
 * awaited, and what awaits cannot be.
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

export const { ROOT_CONTEXT, SpanStatusCode, trace } = load();
