/** The rules of a workflow for a server. Plain data. */

/**
 * How `millrace serve` treats the runs of a workflow, however they were asked for. A run of the command line starts at
 * once, but takes its places.
 */
export interface ServingRules {
  /** The most runs of this workflow at work at once. Default: as many as the server has places. */
  readonly maxRuns?: number;
  /**
   * The pools that a run holds from its start to its end, for example those of a database that bears few connections. A
   * server names its pools and their sizes with `--pool`. Default: none.
   */
  readonly pools?: readonly string[];
  /** Runs of a higher number leave the queue first. Each hour in the queue counts as one more. Default 0. */
  readonly priority?: number;
  /**
   * A run that is at work for longer is stopped, and has failed: `30s`, `15m`, `6h`, `1d`. The time counts from its start,
   * or from when somebody has resumed it. Default: no limit.
   */
  readonly maxTime?: string;
  /**
   * A run whose process uses more memory is stopped, and has failed: `512MB`, `2GB`, at least 128 MB. The heap of Node
   * gets the same limit. Default: that of Node.
   */
  readonly maxMemory?: string;
  /**
   * An alert is sent once a run is not over this long after it was queued, or after its jitter: `30s`, `15m`, `6h`,
   * `1d`. Default: never.
   */
  readonly alertAfter?: string;
  /** An alert is sent if a run ends with more dead letters than this. Default: never. */
  readonly alertDeadLetters?: number;
}
