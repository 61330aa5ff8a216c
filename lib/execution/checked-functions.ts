/** The functions of a user that make keys, states and results, with a check of what each of them returns. */
import { checkKey } from './partition-key.js';
import { checkStep } from './check-step.js';
import { refusePromise } from '../model/awaitable.js';

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
 * Returns the same functions with a check of what they return: a promise throws MILLRACE_INVALID_OPTION, a key throws as
 * in `checkKey`, and the result of a step as in `checkStep`.
 * @param task the name of the task, for the message.
 */
export function checkedFunctions<Functions extends object>(functions: Functions, task: string): Functions {
  const of = functions as unknown as FoldFunctions;
  const value = (returned: unknown, name: string): unknown => {
    refusePromise(returned, `\`${name}\` of '${task}'`);
    return returned;
  };
  const { key } = of;
  const checked: FoldFunctions = {
    ...(key === undefined ? {} : { key: (record) => checkKey(key.call(of, record), 'key', task) }),
    init: (own) => value(of.init(own), 'init'),
    add: (state, record) => value(of.add(state, record), 'add'),
    step: (state, record, context) => {
      const stepped = of.step(state, record, context);
      checkStep(stepped, task);
      return stepped;
    },
    merge: (left, right) => value(of.merge(left, right), 'merge'),
    finish: (state, own) => value(of.finish(state, own), 'finish'),
    make: (state, window, index) => value(of.make(state, window, index), 'finish'),
  };
  return checked as unknown as Functions;
}
