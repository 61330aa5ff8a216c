/** Defaults and rules that the options of a request share with the undici adapter. */
import type { OptionRule } from '../../connect/index.js';

/** Headers that never cross origins. */
export const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key'];

export const DEFAULT_MAX_RESPONSE_BYTES = 10 * 1024 * 1024;

/** An array of header names. */
export const headerNames: OptionRule = {
  expected: 'names of headers',
  accepts: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name)),
};
