/** The explanation of a workflow or of a run, as a server shows it. Plain data. */

/** One task of the critical path. */
export interface ServerPathTask {
  /** Its name. */
  readonly task: string;
  /** The median of the time that a record waited for it and spent in it, in milliseconds; null if not measured. */
  readonly recordMs: number | null;
  /** The time that it was busy, in milliseconds; null if not measured. */
  readonly busyMs: number | null;
}

/** The plan of a workflow, beside the measures of a run. */
export interface ServerExplanation {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The id of the run that was measured; null if none was. */
  readonly run: string | null;
  /** The longest chain of tasks by the time of a record, or without measures by the number of its tasks. */
  readonly criticalPath: {
    readonly tasks: readonly ServerPathTask[];
    readonly recordMs: number | null;
    readonly busiest: ServerPathTask | null;
  };
  /** The bounds of memory, by root or task. */
  readonly memory: readonly {
    readonly of: string;
    readonly what: string;
    readonly most: number;
    readonly seen: number | null;
  }[];
  /** The highest resident memory of the process of the run, in bytes; null if not measured. */
  readonly memoryPeakBytes: number | null;
  /** Why a run cannot be resumed; null if it can. */
  readonly obstacle: string | null;
  /** What happens to each task when the run dies and is resumed, as one clause. */
  readonly afterCrash: readonly { readonly task: string; readonly text: string }[];
  /** What cannot be repeated, with the reason. */
  readonly unrepeatable: readonly { readonly task: string; readonly reason: string }[];
}
