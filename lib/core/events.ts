/**
 * What a run tells about itself: one typed union, every member plain data that survives JSON.
 * `at` is milliseconds since 1970 by the run's clock. Rates of records are told by `progress`, not one event a record.
 */
import type { TaskCounts } from './account.js';
import type { CallEvent } from './call-event.js';
import type { DeadLetter, RunOutcome } from './ports.js';

export type RunEvent =
  | CallEvent
  | { readonly type: 'run-started'; readonly at: number; readonly runId: string; readonly workflow: string }
  | { readonly type: 'task-started'; readonly at: number; readonly task: string }
  | { readonly type: 'task-ended'; readonly at: number; readonly task: string; readonly counts: TaskCounts }
  | { readonly type: 'progress'; readonly at: number; readonly tasks: Readonly<Record<string, TaskCounts>> }
  | { readonly type: 'dead-letter'; readonly at: number; readonly letter: DeadLetter }
  | { readonly type: 'stall'; readonly at: number; readonly stalled: readonly Stall[]; readonly message: string }
  | { readonly type: 'notice'; readonly at: number; readonly message: string }
  | {
      readonly type: 'checkpoint';
      readonly at: number;
      readonly watermarks: Readonly<Record<string, number>>;
      readonly settled: number;
      readonly elapsedMs: number;
    }
  | { readonly type: 'resumed'; readonly at: number; readonly incarnation: number; readonly from: number }
  | { readonly type: 'draining'; readonly at: number }
  | { readonly type: 'subscriber-error'; readonly at: number; readonly message: string }
  | {
      readonly type: 'run-ended';
      readonly at: number;
      readonly runId: string;
      readonly outcome: RunOutcome;
      readonly error?: { readonly code: string; readonly message: string };
    };

/** Who waits for whom. */
export interface Stall {
  readonly task: string;
  readonly lineage: number;
  readonly waitsFor: readonly string[];
}
