/** The functions of an iteration, which lead a record from its first state to its last one. */
import type { Awaitable, RecordContext } from '../../model/ports.js';
import type { Skip } from '../../model/record.js';

/** The second argument of a step. `attempt` counts the attempts of the current iteration. */
export interface IterationContext<In> extends RecordContext {
  /** The record that is iterated. */
  readonly record: In;
  /** The number of the iteration, from 1. A resumed run continues the count. */
  readonly iteration: number;
}

/** How a record is iterated. States are plain data, and no function may change a state in place. */
export interface Iterated<In, State> {
  /** The state before the first iteration. */
  readonly init: (record: In) => State;
  /** One iteration: returns the next state, or `skip(reason)`. */
  readonly step: (state: State, context: IterationContext<In>) => Awaitable<State | Skip>;
  /** Called with the state after each iteration; true ends the record, which has that state as its output. */
  readonly until: (state: State) => boolean;
  /** The most iterations of a record. A record that is not done after them is given up with MILLRACE_ITERATIONS. */
  readonly maxIterations: number;
  /** Milliseconds between two iterations of a record. Default 0. */
  readonly everyMs?: number;
}
