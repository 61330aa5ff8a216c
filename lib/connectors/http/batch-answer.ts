/**
 * Takes the answer to a group of records apart: an array with one item a record, in the order in which they were sent.
 * Promise: an item that is an error is its own record's error; an answer of another length pairs with nobody.
 */
import { describeValue } from '../../model/errors.js';
import { UpstreamError } from '../../model/upstream-error.js';
import { isRetryableStatus, type FailureContext } from './explain-failure.js';

/** What one item of an answer says went wrong. */
export interface ItemError {
  /** Becomes the end of the message of an UpstreamError with the code MILLRACE_HTTP_STATUS. */
  readonly message: string;
  /** Default false. */
  readonly retryable?: boolean;
}

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

/** Names that mean the same as a status that may pass, in the spellings of HTTP and of gRPC. */
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

/** The usual form: `{ error: … }`, with a `status` or a `code` that says whether it may pass. */
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
