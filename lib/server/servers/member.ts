/**
 * A server among those that share its store.
 *
 * Guarantees: a server is removed by the others only after its lease has run out, by the clock of the store; before
 * that moment, by its own clocks, `assertHeld` throws. A server that has just reached the store again removes no other
 * one for the length of a lease, because all of them may have been cut off. The leader has the lowest number of all
 * rows, so a new one leads only after the row of the old one was removed.
 */
import { codeOf } from '../../model/errors.js';
import type { ProcessIdentity } from '../../storage/process-identity.js';
import { removed } from '../store/sql-servers.js';
import type { JoiningServer, ServersSeen, ServerStore, StoredServer } from '../store/server-store.js';
import type { Membership } from './membership.js';

export interface MemberPorts {
  readonly store: Pick<ServerStore, 'join' | 'renew' | 'removeServers' | 'leave'>;
  readonly server: () => JoiningServer;
  /** Milliseconds, also those during which this process or its machine was stopped. */
  readonly clock: () => number;
  /** Whether a process of this host is known to be dead. */
  readonly isDead: (process: ProcessIdentity) => Promise<boolean>;
}

/** The part of a lease after which its holder no longer relies on it: clocks may run at different speeds. */
const SAFE_SHARE = 0.9;

export class Member implements Membership {
  private readonly ports: MemberPorts;
  private current: number | null = null;
  private seen: ServersSeen = { servers: [], silent: [] };
  private renewedAt = -Infinity;
  /** Since when this server has reached the store without a gap. */
  private inContactSince = 0;
  private renewing: Promise<void> | undefined;

  constructor(ports: MemberPorts) {
    this.ports = ports;
  }

  get number(): number | null {
    return this.current;
  }

  /** The servers as of the last renewal. */
  get servers(): readonly StoredServer[] {
    return this.seen.servers;
  }

  /** False before it has joined, and after the others have removed it: then it must join. */
  get hasJoined(): boolean {
    return this.current !== null;
  }

  /** Joins under a new number. Nothing may be in progress that relies on the old one. */
  async join(): Promise<void> {
    const at = this.ports.clock();
    this.current = await this.ports.store.join(this.ports.server());
    this.renewedAt = at;
    this.inContactSince = at;
    await this.renew();
  }

  /** Renews the lease, and removes other servers whose leases have run out. Joins a renewal that is in progress. */
  renew(): Promise<void> {
    this.renewing ??= this.renewOnce().finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  /** Gives the lease back. The runs of this server are adopted by others. */
  async leave(): Promise<void> {
    await this.renewing?.catch(() => undefined);
    this.current = null;
    await this.ports.store.leave();
  }

  isLeader(): boolean {
    return this.current !== null && this.seen.servers[0]?.number === this.current;
  }

  assertHeld(): void {
    const { leaseMs } = this.ports.server();
    if (this.current === null || this.ports.clock() - this.renewedAt > leaseMs * SAFE_SHARE) throw removed();
  }

  serverOn(host: string): number | undefined {
    return this.others().find((one) => one.host === host)?.number;
  }

  hasPool(name: string): boolean {
    return this.others().some(({ pools }) => Object.hasOwn(pools, name));
  }

  private others(): readonly StoredServer[] {
    return this.seen.servers.filter(({ number }) => number !== this.current && !this.seen.silent.includes(number));
  }

  private async renewOnce(): Promise<void> {
    const { store, clock, server, isDead } = this.ports;
    const { leaseMs } = server();
    const { current } = this;
    if (current === null) return;
    const at = clock();
    try {
      this.seen = await store.renew();
    } catch (error) {
      if (codeOf(error) === 'MILLRACE_LOCKED') this.current = null;
      throw error;
    }
    if (at - this.renewedAt > leaseMs / 2) this.inContactSince = at;
    this.renewedAt = at;
    const others = this.seen.servers.filter(({ number }) => number !== current);
    const dead: number[] = [];
    for (const one of others) if (await isDead(one.process)) dead.push(one.number);
    const isSteady = at - this.inContactSince >= leaseMs;
    const silent = isSteady ? this.seen.silent.filter((number) => number !== current) : [];
    const count = (await store.removeServers(dead, true)) + (await store.removeServers(silent, false));
    if (count > 0) this.seen = await store.renew();
  }
}
