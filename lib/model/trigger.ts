/** Triggers of a workflow: events at which `millrace serve` starts a run. Plain data. */
import type { Json } from './json.js';

/** The options that all triggers have. */
export interface TriggerRules {
  /**
   * Settings of the configuration for the runs of this trigger, by key as for `--set`. Strings may use environment
   * variables, also `${MILLRACE_FILE}` and `${MILLRACE_AFTER_RUN}`.
   */
  readonly settings?: Readonly<Record<string, Json>>;
}

/** A signed message over HTTP. */
export interface WebhookTrigger extends TriggerRules {
  /** The name of the environment variable of the server with the secret with which messages are signed. */
  readonly webhook: string;
  /** Settings from the message: keys of `params`, each with the JSON Pointer of its value, such as `/order/id`. */
  readonly fromBody?: Readonly<Record<string, string>>;
}

/** A new file in a folder. */
export interface FileTrigger extends TriggerRules {
  /**
   * The path of the files, from the folder of the server; its last part may have `*` and `?`: `incoming/*.csv`. Each
   * file starts one run, once its size and its time of change are the same in two consecutive checks. Empty files and
   * links are ignored.
   */
  readonly files: string;
}

/** The end of a run of another workflow. */
export interface WorkflowTrigger extends TriggerRules {
  /** The name of the other workflow. */
  readonly after: string;
  /**
   * 'completed' (default), 'failed' (also interrupted), or 'ended' (either of the two). A run that a user has stopped,
   * a run of a backfill and a run of the command line start no run.
   */
  readonly when?: 'completed' | 'failed' | 'ended';
}

/** An event at which `millrace serve` starts a run. */
export type Trigger = WebhookTrigger | FileTrigger | WorkflowTrigger;
