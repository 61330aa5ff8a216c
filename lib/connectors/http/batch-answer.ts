/**
 * Splits the answer to a group of records: an array with one item per record, in the order in which they were sent.
 *
 * Guarantees: the error of an item fails its own record only. An answer of another length fails all records.
 */
import { UpstreamError, describeValue } from '../../connect/index.js';
import type { ItemError } from '../request/request-options.js';
import { isRetryableStatus } from '../request/retryable-status.js';
import { nameUpstream, type FailureContext } from './explain-failure.js';
import { largeIn } from './read-answer.js';

export type BatchItem = { readonly answer: unknown } | { readonly error: unknown };

/** The items, or one error for all of them. */
export function itemsOf(
  answer: unknown,
  count: number,
  errorOf: ((item: unknown) => ItemError | null | undefined) | undefined,
  context: FailureContext,
): readonly BatchItem[] | UpstreamError {
  const { upstream, task } = context;
  if (!Array.isArray(answer) || answer.length !== count) {
    const got = Array.isArray(answer) ? `an array of ${answer.length}` : describeValue(answer, 200);
    return new UpstreamError(
      'MILLRACE_BAD_RESPONSE',
      `Expected the answer of ${upstream} to ${count} records of '${task}' to be an array of ${count}, got ${got}`,
      { blame: 'record' },
    );
  }
  return (answer as unknown[]).map((item) => {
    const large = largeIn(answer, item);
    if (large !== undefined) return { error: nameUpstream(large, context) };
    let problem: ItemError | null | undefined;
    try {
      problem = errorOf === undefined ? errorIn(item, context) : errorOf(item);
    } catch (error) {
      return { error };
    }
    if (problem === undefined || problem === null) return { answer: item };
    return {
      error: new UpstreamError(
        'MILLRACE_HTTP_STATUS',
        `${upstream} refused a record of '${task}': ${problem.message}`,
        {
          blame: 'record',
          retryable: problem.retryable ?? false,
        },
      ),
    };
  });
}

/** Error names that stand for a retryable status, as HTTP and gRPC spell them. */
const PASSING = new Set([
  'BAD_GATEWAY',
  'DEADLINE_EXCEEDED',
  'GATEWAY_TIMEOUT',
  'INTERNAL_SERVER_ERROR',
  'RESOURCE_EXHAUSTED',
  'SERVICE_UNAVAILABLE',
  'TOO_MANY_REQUESTS',
  'UNAVAILABLE',
]);

/** The usual form: `{ error: … }`, with a `status` or a `code` that decides whether it is retryable. */
function errorIn(item: unknown, { isIdempotent }: FailureContext): ItemError | undefined {
  if (typeof item !== 'object' || item === null || !('error' in item)) return undefined;
  const { error } = item;
  if (error === null || error === undefined || error === false) return undefined;
  const { status, code, retryable } = (typeof error === 'object' ? error : {}) as Record<string, unknown>;
  const mayPass =
    retryable === true ||
    (typeof status === 'number' && isRetryableStatus(status, isIdempotent)) ||
    (typeof code === 'string' && PASSING.has(code));
  return { message: describeValue(error, 200), retryable: mayPass };
}
