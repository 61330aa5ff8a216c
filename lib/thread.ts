/**
 * The light door, for modules that threads load: what they need to say where they live and to skip a record, without
 * the engine, so that a thread starts fast.
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
