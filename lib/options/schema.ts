/**
 * Validation through Standard Schema, which zod, valibot, arktype and other libraries implement.
 *
 * Guarantees: an error names the path of the value and the broken rule. In code that cannot wait, an asynchronous
 * schema fails the run, not the record.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isPromiseLike } from '../model/awaitable.js';
import { FatalTaskError, MillraceError, describeValue, type ErrorCode } from '../model/errors.js';

/** A Standard Schema whose output is `T`. */
export type Schema<T> = StandardSchemaV1<unknown, T>;

/**
 * Validates the value and returns the schema's output. Throws `code` with path and reason for an unfit value, and a
 * FatalTaskError with MILLRACE_INVALID_OPTION for an asynchronous schema.
 */
export function validate<T>(schema: Schema<T>, value: unknown, code: ErrorCode, subject: string): T {
  const result = schema['~standard'].validate(value);
  if (isPromiseLike(result)) throw asynchronous(result, subject);
  return outputOf(result, value, code, subject);
}

/**
 * Like `validate`, but accepts asynchronous schemas, for which it returns a promise. Throws, or rejects with, `code`
 * for an unfit value.
 */
export function validateEventually<T>(
  schema: Schema<T>,
  value: unknown,
  code: ErrorCode,
  subject: string,
): T | Promise<T> {
  const result = schema['~standard'].validate(value);
  if (!isPromiseLike(result)) return outputOf(result, value, code, subject);
  return Promise.resolve(result).then((settled) => outputOf(settled, value, code, subject));
}

function outputOf<T>(result: StandardSchemaV1.Result<T>, value: unknown, code: ErrorCode, subject: string): T {
  if (result.issues === undefined) return result.value;
  throw new MillraceError(code, `${subject}: ${describeIssues(result.issues, value)}`);
}

/**
 * Refuses a schema that is asynchronous for every value, before the first record. A schema that is asynchronous only
 * for some values is refused at the first of them. Throws a FatalTaskError with MILLRACE_INVALID_OPTION.
 */
export function refuseAsynchronous(schema: Schema<unknown>, subject: string): void {
  let result: unknown;
  try {
    result = schema['~standard'].validate(undefined);
  } catch {
    // The schema may throw for undefined, which is not a value of the input.
    return;
  }
  if (isPromiseLike(result)) throw asynchronous(result, subject);
}

function asynchronous(result: PromiseLike<unknown>, subject: string): FatalTaskError {
  // No code awaits the validation, so its rejection would otherwise end the process.
  result.then(undefined, () => undefined);
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `The schema of ${subject} is asynchronous, but is used in code that cannot wait. Use a synchronous schema, or give it to a task that can wait: \`output\` of a source, \`input\` of a sink, or \`input\` and \`output\` of an asyncTask or a requestTask`,
  );
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
