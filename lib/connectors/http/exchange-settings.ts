import type { Clock } from '../../model/clock.js';

/** What an exchange needs to know of its adapter, resolved. */
export interface ExchangeSettings {
  readonly maxResponseBytes: number;
  /** Names of headers in lower case that stay with the origin they were meant for. */
  readonly credentialHeaders: ReadonlySet<string>;
  /** By which the timeout of a config is kept. */
  readonly schedule: Clock['schedule'];
}
