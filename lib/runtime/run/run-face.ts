/** The part of a `Run` that its engine uses. */
import type { RunSummary } from '../../model/run-summary.js';
import type { Outlet } from '../../stream/outlet.js';
import type { EventStream } from './event-stream.js';

export interface RunFace {
  readonly events: EventStream;
  /** The outputs of the tasks, by task name. */
  readonly outlets: ReadonlyMap<string, Outlet>;
  /** Called once, when everything has ended and is released. */
  readonly onEnd: (summary: RunSummary, failure: unknown) => void;
}
