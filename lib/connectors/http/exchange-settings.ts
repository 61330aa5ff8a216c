import type { Clock } from '../../connect/index.js';

/** The resolved settings of an adapter. */
export interface ExchangeSettings {
  readonly maxResponseBytes: number;
  /** Header names in lower case that are not sent to other origins. */
  readonly credentialHeaders: ReadonlySet<string>;
  /** The timer for the timeout of a config. */
  readonly schedule: Clock['schedule'];
}
