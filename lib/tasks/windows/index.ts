/**
 * `millrace/windows`: windows of time and of records: aggregates and joins over a stretch of an unbounded stream.
 */
export { counted, session, sliding, tumbling, type WindowKind } from './window-kinds.js';
export {
  windowJoin,
  type JoinedPair,
  type JoinSide,
  type Labelled,
  type WindowJoin,
  type WindowJoinOptions,
  type WindowPair,
} from './window-join.js';
export { windowTask, type LateOutput, type WindowTaskOptions } from './window-task.js';
export type { LateRecord, Windowed, WindowOf, WindowOptions } from './windowed.js';
