/**
 * The body that a request sends for a record, and the output that is made from its answer: user functions and schemas.
 */
import {
  checkInputEventually,
  checkOutputEventually,
  contextOf,
  isPromiseLike,
  validateEventually,
  type Awaitable,
  type Skip,
  type TaskScope,
} from '../../connect/index.js';
import type { Attempt } from '../../calls/call.js';
import { allowsBody } from './request-method.js';
import type { RequestOptions } from './request-options.js';
import type { UrlTemplate } from './request-url.js';

/** A body in an object, because a body that is a promise is refused, not awaited. */
export interface CallBody {
  /** Undefined: no body. */
  readonly value: unknown;
}

/**
 * Returns the body of an attempt, or a promise of it if the input schema is asynchronous. It throws the errors of the
 * schema and of the user's function.
 */
export function bodyFunction<In, Out>(
  { input, body }: RequestOptions<In, Out>,
  scope: TaskScope,
  method: string,
): (attempt: Attempt<In>) => Awaitable<CallBody> {
  const check = checkInputEventually<In>(input, scope.task);
  const isSent = allowsBody(method);
  const bodyOf = ({ call, number }: Attempt<In>, record: In): CallBody => {
    if (body !== undefined) return { value: body(record, contextOf(scope, call.lineage, number)) };
    return { value: isSent ? record : undefined };
  };
  return (attempt) => {
    const checking = check(attempt.call.record);
    return isPromiseLike(checking) ? checking.then((record) => bodyOf(attempt, record)) : bodyOf(attempt, checking);
  };
}

/**
 * Makes an output from an answer, or a promise of it if a schema is asynchronous. It throws the errors of the schemas.
 */
export function answerReader<In, Out>(
  { response, output }: RequestOptions<In, Out>,
  url: UrlTemplate,
  scope: TaskScope,
): (answer: unknown) => Awaitable<Out | Skip> {
  const check = checkOutputEventually<Out>(output, scope.task);
  if (response === undefined) return (answer) => check(answer as Out);
  const subject = `The answer of ${url.label} to '${scope.task}'`;
  return (answer) => {
    const reading = validateEventually(response, answer, 'MILLRACE_INVALID_OUTPUT', subject);
    return isPromiseLike(reading) ? reading.then(check) : check(reading);
  };
}
