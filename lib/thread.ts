/**
 * The entry point for modules that threads load. With it a module declares its location and skips records. It does not
 * load the engine, so a thread starts fast.
 */
export {
  threadAggregate,
  threadFactory,
  threadFunction,
  threadSchema,
  threadStateful,
  type Threadable,
  type ThreadFunctionOptions,
  type ThreadStateful,
} from './execution/thread-function.js';
export { skip, type Skip } from './model/record.js';
export type { Aggregate } from './tasks/aggregate.js';
export type { Stateful } from './tasks/stateful.js';
export type { ThreadContext } from './execution/thread-context.js';
