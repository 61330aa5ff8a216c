/** The graph of a run with its figures, as a server shows it. Plain data. */

/** The counts of a sub-workflow as a whole. */
export interface ServerWholeView {
  /** The number of tasks of the sub-workflow, without its end. */
  readonly tasks: number;
  /** Records that the sub-workflow accepted. */
  readonly in: number;
  /** Records that the sub-workflow emitted. */
  readonly out: number;
  /** Records that its tasks passed over. */
  readonly skipped: number;
  /** Records that its tasks gave up. */
  readonly deadLettered: number;
  /** Records that its tasks work on. */
  readonly inFlight: number;
}

/** A task of a run, with its figures now or at the end. */
export interface ServerTaskView {
  /** The name of the task. */
  readonly name: string;
  /** The kind of the task, such as `async`. */
  readonly kind: string;
  /** The number of sub-workflows around the task. */
  readonly depth: number;
  /** The counts of the sub-workflow that ends with this task; null for any other task. */
  readonly whole: ServerWholeView | null;
  /** The column of the task in the graph, from 0. */
  readonly layer: number;
  /** The row of the task in the graph; may be a fraction. */
  readonly row: number;
  /** Records that the task accepted. */
  readonly in: number;
  /** Records that the task emitted. */
  readonly out: number;
  /** Records that the task passed over. */
  readonly skipped: number;
  /** Records that the task gave up. */
  readonly deadLettered: number;
  /** Records that the task works on. */
  readonly inFlight: number;
  /** Records whose output was remembered; null if the task has no memo. */
  readonly remembered: number | null;
  /** Records that wait in front of the task. */
  readonly queued: number;
  /** Iterations that have ended; null for a task that does not iterate. */
  readonly iterations: number | null;
  /** Records per second over about the last five seconds. */
  readonly perSecond: number;
  /** Records per second over the run. */
  readonly averagePerSecond: number;
  /** The share of the last second that the task was at work, 0 to 1. */
  readonly busy: number;
  /** The share of the last second that the task waited for records, 0 to 1. */
  readonly waiting: number;
  /** The share of the last second that the task could not pass its records on, 0 to 1. */
  readonly blocked: number;
  /** The median latency in milliseconds; null before the first record was timed. */
  readonly p50: number | null;
  /** The latency in milliseconds that 95 % of the records stay below. */
  readonly p95: number | null;
}

/** An edge: the connection along which records flow from one task to another. */
export interface ServerEdgeView {
  /** The sending task. */
  readonly from: string;
  /** The receiving task. */
  readonly to: string;
  /** The places between the two tasks that the edge passes, from left to right, in units of the grid. */
  readonly way: readonly { readonly layer: number; readonly row: number }[];
  /** Records that were sent along this edge. */
  readonly records: number;
  /** Records per second over about the last five seconds. */
  readonly perSecond: number;
  /** Records in front of the receiving task, as a share of the window, 0 to 1. */
  readonly fill: number;
  /**
   * starved: the receiver waits for records. blocked: the sender cannot pass its records on. idle: nothing moves. rule:
   * the receiver runs after the sender, and no records flow.
   */
  readonly state: 'flowing' | 'starved' | 'blocked' | 'idle' | 'rule';
  /** Whether the receiver also emits records for which this edge has none. */
  readonly isOptional: boolean;
}

/** The graph of a run with one box per sub-workflow. */
export interface ServerOutlineView {
  /** The number of columns of the graph. */
  readonly layers: number;
  /** The number of rows of the graph. */
  readonly rows: number;
  /** The boxes: a task, or a sub-workflow under the name of its end. */
  readonly places: readonly { readonly task: string; readonly layer: number; readonly row: number }[];
  /** The edges between the boxes. */
  readonly edges: readonly ServerEdgeView[];
}

/** A run with its graph and figures, live or afterwards. */
export interface ServerRunView {
  /** The id of the run. */
  readonly runId: string;
  /** The name of the workflow. */
  readonly workflow: string;
  /** When the run started, in milliseconds since 1970. */
  readonly startedAt: number;
  /** The time of the last event that the view contains. */
  readonly seenAt: number;
  /** The number of processes that have worked on the run. */
  readonly incarnations: number;
  /** The outcome of the last process; null while it is at work. */
  readonly outcome: string | null;
  /** The number of columns of the graph. */
  readonly layers: number;
  /** The number of rows of the graph. */
  readonly rows: number;
  /** The tasks, in the order of their declaration. */
  readonly tasks: readonly ServerTaskView[];
  /** The edges of the graph. */
  readonly edges: readonly ServerEdgeView[];
  /** The graph with one box per sub-workflow; null without sub-workflows. */
  readonly outline: ServerOutlineView | null;
  /** The task that limits the run, and its load from 0 to 1; null if none does. */
  readonly bottleneck: { readonly task: string; readonly load: number } | null;
  /** How much of the input was read, 0 to 1; null if no source knows. */
  readonly readShare: number | null;
  /** Records that the sources emitted. */
  readonly born: number;
  /** Records of the sources that are settled. */
  readonly settled: number;
  /** Records of the sources that are not settled yet. */
  readonly inFlight: number;
  /** Whether in = out + skipped + dead letters + in flight, for each task that keeps the lineages it gets. */
  readonly isConserved: boolean;
  /** Dead letters by reason. */
  readonly deadLetters: readonly {
    readonly task: string;
    readonly code: string;
    readonly message: string;
    readonly count: number;
  }[];
  /** Notable events of the run, one sentence each, oldest first. */
  readonly notes: readonly { readonly at: number; readonly text: string }[];
  /** The configuration; secrets are masked. */
  readonly config: unknown;
}
