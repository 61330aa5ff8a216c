/**
 * The entry point `millrace/connect/values`: the part of `millrace/connect` that does not depend on tasks: errors,
 * records, options and schemas. Code of connectors that threads load imports it from here, so that a thread loads
 * little.
 */
export {
  FatalTaskError,
  MillraceError,
  codeOf,
  describeThrown,
  describeValue,
  invalidOption,
  type ErrorCode,
} from '../model/errors.js';
export { Rejected, Skip, skip } from '../model/record.js';
export type { OptionRule } from '../options/options.js';
export { describeIssues, validate, type Schema } from '../options/schema.js';
export { isPromiseLike } from '../model/awaitable.js';
export { nearest } from '../text/nearest.js';
export { oneLine } from '../text/printable.js';
