/** Values of JavaScript as parameters of a statement. */
import { isDate, isUint8Array } from 'node:util/types';
import { describeValue, MillraceError } from '../../connect/index.js';
import { duckdbPackage } from './duckdb-package.js';
import type { TypedValue } from './duckdb-session.js';

const MOST_BIGINT = 2n ** 63n;

/**
 * The value as a parameter: whole numbers as BIGINT, dates as TIMESTAMP in UTC, undefined as NULL. Throws
 * MILLRACE_INVALID_OPTION for any other value than null, a boolean, a number, a bigint, a text, a Date or bytes.
 */
export function parameterValue(value: unknown, of: string): TypedValue {
  const { BIGINT, BLOB, BOOLEAN, DOUBLE, HUGEINT, SQLNULL, TIMESTAMP, VARCHAR, blobValue, timestampValue } =
    duckdbPackage();
  switch (typeof value) {
    case 'undefined':
      return { value: null, type: SQLNULL };
    case 'boolean':
      return { value, type: BOOLEAN };
    case 'string':
      return { value, type: VARCHAR };
    case 'number':
      return Number.isSafeInteger(value) ? { value: BigInt(value), type: BIGINT } : { value, type: DOUBLE };
    case 'bigint':
      return { value, type: value >= -MOST_BIGINT && value < MOST_BIGINT ? BIGINT : HUGEINT };
    case 'object':
      if (value === null) return { value, type: SQLNULL };
      if (isUint8Array(value)) return { value: blobValue(value), type: BLOB };
      if (isDate(value) && !Number.isNaN(value.getTime())) {
        return { value: timestampValue(BigInt(value.getTime()) * 1000n), type: TIMESTAMP };
      }
      break;
    default:
      break;
  }
  throw new MillraceError('MILLRACE_INVALID_OPTION', `${of} cannot be ${describeValue(value)}`);
}
