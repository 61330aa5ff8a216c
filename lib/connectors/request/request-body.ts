/** What a request sends for a record, and how its answer becomes an output: user functions and schemas. */
import {
  checkInput,
  checkOutput,
  contextOf,
  refuseAsynchronous,
  validate,
  type Skip,
  type TaskScope,
} from '../../connect/index.js';
import type { Attempt } from '../../calls/call.js';
import { takesBody } from './request-method.js';
import type { RequestOptions } from './request-options.js';
import type { UrlTemplate } from './request-url.js';

/** Returns the body of an attempt. It throws what the input schema or the user's function throws. */
export function bodyFunction<In, Out>(
  { input, body }: RequestOptions<In, Out>,
  scope: TaskScope,
  method: string,
): (attempt: Attempt<In>) => unknown {
  const check = checkInput<In>(input, scope.task);
  if (body !== undefined) {
    return ({ call, number }) => body(check(call.record), contextOf(scope, call.lineage, number));
  }
  if (takesBody(method)) return ({ call }) => check(call.record);
  return ({ call }) => {
    check(call.record);
    return undefined;
  };
}

/** Makes an output from an answer, or throws what a schema throws. */
export function answerReader<In, Out>(
  { response, output }: RequestOptions<In, Out>,
  url: UrlTemplate,
  scope: TaskScope,
): (answer: unknown) => Out | Skip {
  const check = checkOutput<Out>(output, scope.task);
  if (response === undefined) return (answer) => check(answer as Out);
  const subject = `The answer of ${url.label} to '${scope.task}'`;
  refuseAsynchronous(response, subject);
  return (answer) => check(validate(response, answer, 'MILLRACE_INVALID_OUTPUT', subject));
}
