/** Checks that the functions of a user that make states and results are synchronous. */
import { isPromiseLike } from '../model/awaitable.js';
import { FatalTaskError } from '../model/errors.js';

/** The functions of an aggregate, a `statefulTask` or a window. Each kind has some of them. */
interface FoldFunctions {
  readonly key?: (record: unknown) => unknown;
  init(key: unknown): unknown;
  add(state: unknown, record: unknown): unknown;
  step(state: unknown, record: unknown, context: unknown): unknown;
  merge(left: unknown, right: unknown): unknown;
  finish(state: unknown, key: unknown): unknown;
  /** The `finish` of a window. */
  make(state: unknown, window: unknown, index: unknown): unknown;
}

/**
 * Returns the same functions, except that each throws MILLRACE_INVALID_OPTION if the function of the user returns a
 * promise.
 * @param task the name of the task, for the message.
 */
export function refusingPromises<Functions extends object>(functions: Functions, task: string): Functions {
  const of = functions as unknown as FoldFunctions;
  const checked: FoldFunctions = {
    ...(of.key === undefined ? {} : { key: of.key.bind(of) }),
    init: (key) => valueFrom(of.init(key), 'init', task),
    add: (state, record) => valueFrom(of.add(state, record), 'add', task),
    step: (state, record, context) => valueFrom(of.step(state, record, context), 'step', task),
    merge: (left, right) => valueFrom(of.merge(left, right), 'merge', task),
    finish: (state, key) => valueFrom(of.finish(state, key), 'finish', task),
    make: (state, window, index) => valueFrom(of.make(state, window, index), 'finish', task),
  };
  return checked as unknown as Functions;
}

function valueFrom(value: unknown, name: string, task: string): unknown {
  if (isPromiseLike(value)) refusePromise(value, `\`${name}\` of '${task}'`);
  return value;
}

/** @param source the function that returned the promise, such as "`add` of 'Totals'". */
function refusePromise(value: PromiseLike<unknown>, source: string): never {
  // The rejection of a promise that no code handles would end the process.
  value.then(undefined, () => undefined);
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${source} returned a promise, but a state must be a value. Make the function synchronous, and do asynchronous work in an asyncTask before or after it`,
  );
}
