/**
 * Validation through Standard Schema, so any library that speaks it works (zod, valibot, arktype).
 * Promise: what does not fit says where (path), and which rule it broke.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MillraceError, describeValue, type ErrorCode } from '../model/errors.js';

/** A Standard Schema whose output is `T`. */
export type Schema<T> = StandardSchemaV1<unknown, T>;

/**
 * The value as the schema gives it back. Throws `code` with path and reason; refuses an asynchronous schema with
 * MILLRACE_INVALID_OPTION.
 */
export function validate<T>(schema: Schema<T>, value: unknown, code: ErrorCode, subject: string): T {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `The schema of ${subject} is asynchronous: use a synchronous one`,
    );
  }
  if (result.issues === undefined) return result.value;
  throw new MillraceError(code, `${subject}: ${describeIssues(result.issues, value)}`);
}

/** All issues in one line: `path: reason, got value`. */
export function describeIssues(issues: readonly StandardSchemaV1.Issue[], value: unknown): string {
  return issues
    .slice(0, 5)
    .map((issue) => {
      const path = (issue.path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
      const where = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
      return `${where}${issue.message}, got ${describeValue(dig(value, path))}`;
    })
    .join('; ');
}

function dig(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<PropertyKey, unknown>)[key];
  }
  return here;
}
