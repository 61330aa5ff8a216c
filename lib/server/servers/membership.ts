/** The place of a server among those that share its store, as the supervisor needs it. */

export interface Membership {
  /** The fencing number of this server; null if it is the only one. */
  readonly number: number | null;
  /** Whether this server decides ticks. */
  isLeader(): boolean;
  /** Throws MILLRACE_LOCKED if the lease of this server may have run out, by its own clocks. */
  assertHeld(): void;
  /** The number of another server on this host; undefined if there is none. */
  serverOn(host: string): number | undefined;
  /** Whether another server has the pool. */
  hasPool(name: string): boolean;
}

/** The only server of a store. */
export const ONLY_SERVER: Membership = {
  number: null,
  isLeader: () => true,
  assertHeld: () => undefined,
  serverOn: () => undefined,
  hasPool: () => false,
};
