import type { Memory } from '../../memo/memory.js';
import type { NodePlan } from '../../model/graph.js';
import type { Outlet } from '../../stream/outlet.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { RunScope } from './scope.js';

/** One task of a run. */
export interface WiredTask {
  readonly plan: NodePlan;
  readonly declaration: TaskDeclaration;
  readonly scope: RunScope;
  /** The scope of a boundary join in front of the task; without one, the task's own scope. */
  readonly joinScope: RunScope;
  readonly output$: Outlet;
  /** Present if the task remembers its outputs. */
  readonly memory?: Memory;
}
