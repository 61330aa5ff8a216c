/**
 * The membership of a worker in the group of a run. Kafka's group protocol assigns the lanes to the members.
 *
 * Guarantees: a lane is reported as given up only after `release` has resolved for it, so no other worker receives it
 * before. A member that was expelled, or whose heartbeats were not answered for `LEASE_BEATS` intervals, owns nothing.
 * Heartbeats continue while lanes are drained.
 */
import type { GroupAnswer, KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { Waiter } from '../model/awaitable.js';
import { systemClock } from '../model/clock.js';
import { codeOf, MillraceError } from '../model/errors.js';
import { newMemberId } from './worker-name.js';

const JOINING = 0;
const LEAVING = -1;
/**
 * The number of heartbeat intervals without an answer after which the owner of lanes stops writing. By default, brokers
 * expel it after nine intervals. Writes to Kafka are fenced in any case; this limit protects files.
 */
const LEASE_BEATS = 8;
const FIRST_BEAT_MS = 1000;
const PAUSE_MS = 200;

export interface MembershipParts {
  readonly client: KafkaPort;
  readonly group: string;
  readonly topic: TopicDescription;
  readonly rebalanceTimeoutMs: number;
  /** Starts the work on these lanes. */
  readonly assign: (lanes: readonly number[]) => void;
  /** Drains lanes. Resolves when this process has closed them; never rejects. */
  readonly release: (lanes: readonly number[]) => Promise<void>;
  /** Stops lanes that another worker may own already. Resolves when this process has closed them; never rejects. */
  readonly lose: (lanes: readonly number[], error: MillraceError) => Promise<void>;
}

export class Membership {
  private readonly parts: MembershipParts;
  /** The id of this worker in the group. */
  readonly member = newMemberId();
  private readonly owned = new Set<number>();
  private readonly releasing = new Set<number>();
  private epoch = JOINING;
  private beatEveryMs = FIRST_BEAT_MS;
  /** When the last answered heartbeat was sent; undefined before the first one. */
  private heardAt: Moment | undefined;
  private isLeaving = false;
  private participation: Promise<void> | undefined;
  /** Whether the next heartbeat must be sent at once. */
  private hasNews = false;
  private readonly waiter = new Waiter();

  constructor(parts: MembershipParts) {
    this.parts = parts;
  }

  /** Throws MILLRACE_LOCKED if another worker may own the lanes of this one. */
  assertOwned(): void {
    if (msSince(this.heardAt) < this.beatEveryMs * LEASE_BEATS) return;
    throw lost('the brokers have heard nothing of this worker for too long');
  }

  /**
   * Stays in the group until `leave` is called. Rejects if the brokers refuse the worker, or do not answer for
   * `giveUpAfterMs`.
   */
  participate(giveUpAfterMs: number): Promise<void> {
    return (this.participation = this.stay(giveUpAfterMs));
  }

  /** Leaves the group. All lanes must have been released. */
  async leave(): Promise<void> {
    this.isLeaving = true;
    this.waiter.wake();
    // A heartbeat whose answer is still awaited may join the group.
    await this.participation?.catch(() => undefined);
    if (this.epoch === JOINING) return;
    this.owned.clear();
    await this.send(LEAVING).catch(() => undefined);
    this.epoch = JOINING;
  }

  private async stay(giveUpAfterMs: number): Promise<void> {
    let failedSince: number | undefined;
    while (!this.isLeaving) {
      try {
        await this.beat();
        failedSince = undefined;
      } catch (error) {
        if (codeOf(error) !== 'MILLRACE_NETWORK') throw error;
        failedSince ??= performance.now();
        if (performance.now() - failedSince > giveUpAfterMs) throw error;
        await this.pause(PAUSE_MS);
        continue;
      }
      await this.pause(this.beatEveryMs);
    }
  }

  private async beat(): Promise<void> {
    const sentAt = now();
    const answer = await this.send(this.epoch);
    if (answer.kind === 'expelled') {
      await this.forget(lost('the brokers have given its lanes to others'));
      return;
    }
    this.epoch = answer.epoch;
    this.beatEveryMs = answer.beatEveryMs;
    this.heardAt = sentAt;
    if (answer.assigned !== undefined) this.follow(new Set(answer.assigned));
  }

  private follow(wanted: ReadonlySet<number>): void {
    const revoked = [...this.owned].filter((lane) => !wanted.has(lane) && !this.releasing.has(lane));
    const added = [...wanted].filter((lane) => !this.owned.has(lane));
    for (const lane of added) this.owned.add(lane);
    if (added.length > 0) this.parts.assign(added);
    for (const lane of revoked) this.releasing.add(lane);
    if (revoked.length > 0) void this.giveUp(revoked);
    // The next heartbeat, sent at once, reports the new lanes.
    if (added.length > 0) this.soon();
  }

  private async giveUp(lanes: readonly number[]): Promise<void> {
    await this.parts.release(lanes);
    for (const lane of lanes) {
      this.releasing.delete(lane);
      this.owned.delete(lane);
    }
    this.soon();
  }

  /** Stops all lanes. The worker then joins again as a new member. */
  private async forget(error: MillraceError): Promise<void> {
    this.heardAt = undefined;
    this.epoch = JOINING;
    const lanes = [...this.owned];
    this.owned.clear();
    this.releasing.clear();
    await this.parts.lose(lanes, error);
  }

  private send(epoch: number): Promise<GroupAnswer> {
    const { client, group, topic, rebalanceTimeoutMs } = this.parts;
    return client.beat({ group, member: this.member, epoch, topic, owned: [...this.owned], rebalanceTimeoutMs });
  }

  private soon(): void {
    this.hasNews = true;
    this.waiter.wake();
  }

  private async pause(ms: number): Promise<void> {
    if (!this.hasNews && !this.isLeaving) await this.waiter.waitAtMost(ms, systemClock);
    this.hasNews = false;
  }
}

/** A moment on two clocks: one stands still while the machine sleeps, and the other one can be set back. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

function now(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/** The milliseconds since the moment, by the clock that shows more. */
function msSince(moment: Moment | undefined): number {
  if (moment === undefined) return Infinity;
  const { monotonicMs, wallMs } = now();
  return Math.max(monotonicMs - moment.monotonicMs, wallMs - moment.wallMs);
}

function lost(why: string): MillraceError {
  return new MillraceError('MILLRACE_LOCKED', `This worker has lost its lanes: ${why}. It joins again by itself`);
}
