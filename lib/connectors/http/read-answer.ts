/**
 * The first step of reading the body of an answer, before axios parses it.
 *
 * Guarantees: an empty body is refused as a JSON answer, unless the status or the method means that there is no body.
 * An integer that a number cannot hold is never rounded silently: depending on the options, the answer is refused or
 * contains the integer as text.
 */
import type { AxiosResponseTransformer } from 'axios';
import { UpstreamError } from '../../connect/index.js';
import { LargeInteger, firstLargeIn, quoteLarge, reviveLarge } from '../json/large-integers.js';
import type { RequestOptions } from '../request/request-options.js';

type Given = Pick<RequestOptions<never, unknown>, 'batch' | 'largeIntegers' | 'method' | 'responseType'>;

/** Answers to several records that have integers which numbers cannot hold. Other answers need no search. */
const withLarge = new WeakSet();

/** The transformers of axios, with the first step before them. */
export function readAnswer(
  { batch, largeIntegers = 'refuse', method = 'POST', responseType = 'json' }: Given,
  transforms: readonly AxiosResponseTransformer[],
): AxiosResponseTransformer[] {
  if (responseType !== 'json') return [...transforms];
  const mayBeEmpty = method.toUpperCase() === 'HEAD';
  const read: AxiosResponseTransformer = (data: unknown, _headers, status = 200): unknown => {
    // The body of an error is only quoted.
    if (typeof data !== 'string' || status < 200 || status >= 300) return data;
    if (data.length === 0 && !mayBeEmpty && status !== 204 && status !== 205) throw refusal(EMPTY);
    if (largeIntegers === 'round') return data;
    const text = quoteLarge(data, largeIntegers);
    if (text === data || largeIntegers === 'text') return text;
    let answer: unknown;
    let digits: string | undefined;
    try {
      answer = JSON.parse(text, reviveLarge);
      digits = firstLargeIn(answer);
    } catch {
      // axios reports the error.
      return data;
    }
    if (digits === undefined) return data;
    if (batch === undefined || !Array.isArray(answer)) throw refusal(LargeInteger.explain(digits));
    withLarge.add(answer);
    return answer;
  };
  readers.add(read);
  return [read, ...transforms];
}

/** The transformers that `readAnswer` has created. */
const readers = new WeakSet<object>();

/** Whether a transformer is the first step. It reads no headers. */
export function isReadAnswer(transform: object): boolean {
  return readers.has(transform);
}

/** The error of an item of an answer to several records, if it has an integer that a number cannot hold. */
export function largeIn(answer: object, item: unknown): UpstreamError | undefined {
  const digits = withLarge.has(answer) ? firstLargeIn(item) : undefined;
  return digits === undefined ? undefined : invalid(LargeInteger.explain(digits));
}

const EMPTY =
  "the body is empty, which is not JSON. If the upstream answers without a body, set `responseType: 'text'`";

/**
 * axios passes on the error of a transformer. An UpstreamError as the cause is completed with the name of the upstream.
 */
function refusal(why: string): Error {
  return new Error(why, { cause: invalid(why) });
}

function invalid(why: string): UpstreamError {
  return new UpstreamError('MILLRACE_BAD_RESPONSE', why, { blame: 'record' });
}
