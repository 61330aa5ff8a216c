/** The rules of a workflow for a server. Plain data. */

/**
 * How `millrace serve` treats the runs of a workflow, however they were requested. A run of the command line starts at
 * once, but occupies its places.
 */
export interface ServingRules {
  /** The most runs of this workflow that are active at a time. Default: as many as the server has places. */
  readonly maxRuns?: number;
  /**
   * The pools that a run holds from its start to its end, for example the pool of a database that allows few
   * connections. A server names its pools and their sizes with `--pool`. Default: none.
   */
  readonly pools?: readonly string[];
  /** Runs of a higher number leave the queue first. Each hour in the queue counts as one more. Default 0. */
  readonly priority?: number;
  /**
   * A run that is active for longer is stopped and fails: `30s`, `15m`, `6h`, `1d`. The time counts from its start, or
   * from the time at which a user resumed it. Default: no limit.
   */
  readonly maxTime?: string;
  /**
   * A run whose process uses more memory is stopped and fails: `512MB`, `2GB`, at least 128 MB. The heap of Node gets
   * the same limit. Default: that of Node.
   */
  readonly maxMemory?: string;
  /**
   * An alert is sent if a run has not ended this long after it was queued, or after its jitter: `30s`, `15m`, `6h`,
   * `1d`. Default: never.
   */
  readonly alertAfter?: string;
  /** An alert is sent if a run ends with more dead letters than this. Default: never. */
  readonly alertDeadLetters?: number;
}
