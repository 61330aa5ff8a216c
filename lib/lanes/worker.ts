/**
 * A worker: one process of a workflow that is spread over several processes. It joins the group of the run, works on
 * the lanes that the group assigns to it, and ends when all lanes of the run have ended, here or elsewhere. Lanes of a
 * later phase begin when all lanes of the phases before have ended.
 *
 * Guarantees: a lane is drained before it is given up. A lane that another worker has fenced is tried again only while
 * the group assigns it to this worker, and for at most five minutes in a row. If a lane fails for another reason, or the
 * ends of the others cannot be read, the worker drains its lanes and ends with that error.
 */
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { openClient } from '../connectors/kafka/raw-client.js';
import { Waiter } from '../model/awaitable.js';
import { sleep, systemClock, type Clock } from '../model/clock.js';
import { codeOf, describeThrown, MillraceError } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import type { Upstream } from '../model/upstream.js';
import { callback, checkOptions, count, number, objectWith, type OptionRules } from '../options/options.js';
import type { Secrets } from '../text/secrets.js';
import { existingRun, REQUIRED, SPREAD_RULES, type SpreadOptions } from './cluster-run.js';
import { CLOSED, Lane, REOPENED, type LaneEnd, type LaneName, type LaneSurroundings } from './lane.js';
import { NewsWriter } from './lane-news.js';
import { LaneWait } from './lane-wait.js';
import { DEFAULT_TRANSACTION_TIMEOUT_MS } from './lane-transaction.js';
import { takenLetters } from './letter-topic.js';
import { Membership } from './membership.js';
import { laneCount } from './run-topics.js';
import type { Stage, StagePlan } from './stages.js';

/** Options of `startWorker`. */
export interface WorkerOptions extends SpreadOptions {
  /** The milliseconds between the transactions of a lane, in which its outputs become visible. Default 200. */
  readonly commitEveryMs?: number;
  /** The most milliseconds of one transaction. Default 60,000. */
  readonly transactionTimeoutMs?: number;
  /** The time in which records in flight may settle when a lane is given up, in milliseconds. Default 30,000. */
  readonly graceMs?: number;
  /**
   * The milliseconds after which a lane that holds records and moves none counts as hanging: its worker reports it and
   * ends with MILLRACE_STALLED, so that another one continues its lanes. Default: never.
   */
  readonly stallMs?: number;
  /** Called with the events of the lanes of this worker. */
  readonly onEvent?: (event: WorkerEvent) => void;
  /**
   * Called with a sentence that concerns the worker as a whole: its brokers cannot be reached, or it waits for lanes.
   * Default: not called.
   */
  readonly onNotice?: (message: string) => void;
  /** The values to mask in all output of the lanes. Default: those that the configuration and the tasks name. */
  readonly secrets?: Secrets;
  /** Answers requests in place of the network. */
  readonly upstream?: Upstream;
}

/** An event of a lane of a worker. */
export interface WorkerEvent extends LaneName {
  /** 'event' is an event of the run of the lane. */
  readonly type: 'started' | 'closed' | 'given-up' | 'failed' | 'event';
  /** Why the lane stopped. */
  readonly error?: unknown;
  /** For 'event': the event of the run of the lane. */
  readonly event?: RunEvent;
}

/** How a worker ended. */
export interface WorkerEnd {
  /** 'completed': all lanes of the run have ended. 'stopped': `stop` was called before their end. */
  readonly outcome: 'completed' | 'stopped';
  /** Whether any worker of the run has written dead letters. */
  readonly hasDeadLetters: boolean;
}

const RULES: OptionRules<WorkerOptions> = {
  ...SPREAD_RULES,
  commitEveryMs: number(1),
  transactionTimeoutMs: count(),
  graceMs: number(0),
  stallMs: count(),
  onEvent: callback,
  onNotice: callback,
  secrets: objectWith('add', 'text', 'data'),
  upstream: objectWith('answer'),
};
/** What a worker reaches outside of itself. Specs replace it. */
export interface WorkerSurroundings {
  readonly connect: typeof openClient;
  readonly clock: Pick<Clock, 'monotonicMs' | 'schedule'>;
}

const REAL: WorkerSurroundings = { connect: openClient, clock: systemClock };
const LOOK_EVERY_MS = 300;
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5000;
/** A lane that has lasted longer was not refused from the beginning. */
const STEADY_MS = 60_000;
/** Longer than a file stays locked after the death of its owner. */
const GIVE_UP_MS = 300_000;
/** Refusals in a row between two reports. */
const TELL_EVERY = 5;

/**
 * Starts a worker of a run that `createRun` has created. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example
 * const options = { workflow: Offers.prepare(config), cluster: kafka({ brokers: ['localhost:9092'] }), runId: 'r1' };
 * await createRun(options);
 * await startWorker(options).finished;
 */
export function startWorker(options: WorkerOptions): Worker {
  checkOptions('a worker', options, RULES, REQUIRED);
  return new Worker(options);
}

/**
 * A worker; `startWorker` makes it. `finished` rejects with MILLRACE_UNKNOWN_RUN if the run was not created, with
 * MILLRACE_RESUME if it was created for another definition or configuration, with MILLRACE_NETWORK if brokers do not
 * answer, with MILLRACE_KAFKA if they refuse a request, and with the error of a lane that failed.
 */
export class Worker {
  /** Resolves when all lanes of the run have ended, or after `stop`. Rejects with the error of the lane that failed. */
  readonly finished: Promise<WorkerEnd>;
  private readonly options: WorkerOptions;
  private readonly outside: WorkerSurroundings;
  private readonly lanes = new Map<number, Lane>();
  /** The lanes that the group assigns to this worker. */
  private readonly owned = new Set<number>();
  private readonly ended = new Set<number>();
  /** By lane that was fenced, or whose file another process has: how often in a row, and since when. */
  private readonly refusals = new Map<number, { times: number; readonly sinceMs: number }>();
  /** The phase whose lanes may begin. */
  private phase = 0;
  private isStopping = false;
  /** The grace of `stop`. */
  private stopGraceMs: number | undefined;
  private failure: { readonly error: unknown } | undefined;
  private surroundings: LaneSurroundings | undefined;
  private news: NewsWriter | undefined;
  private names: readonly (LaneName & { readonly of: Stage })[] = [];
  private readonly waiter = new Waiter();

  /** Use `startWorker`. */
  constructor(options: WorkerOptions, outside: WorkerSurroundings = REAL) {
    this.options = options;
    this.outside = outside;
    this.finished = this.work();
    this.finished.catch(() => undefined);
  }

  /**
   * Drains the lanes of this worker and leaves them to the others. `finished` then resolves.
   *
   * @param graceMs the time in which records in flight may settle. Default: `graceMs` of the options.
   */
  stop(graceMs?: number): void {
    this.isStopping = true;
    this.stopGraceMs = graceMs ?? this.stopGraceMs;
    this.waiter.wake();
  }

  private async work(): Promise<WorkerEnd> {
    const { cluster } = this.options;
    const client = await this.outside.connect(cluster, (message) => {
      this.notify(message);
    });
    try {
      const { topic, plan } = await this.prepare(client);
      const membership = new Membership({
        ...{ client, group: plan.group, topic },
        rebalanceTimeoutMs: this.graceMs + 10_000,
        assign: (lanes) => {
          for (const lane of lanes) this.assign(lane);
        },
        release: (lanes) => this.release(lanes),
        lose: (lanes, error) => this.lose(lanes, error),
      });
      this.surroundings = {
        ...(this.surroundings as LaneSurroundings),
        assertOwned: () => {
          membership.assertOwned();
        },
      };
      const participation = membership.participate(cluster.options.timeoutMs).catch((error: unknown) => {
        this.fail(error);
      });
      const wait = new LaneWait({
        ...{ client, group: plan.group, topic, member: membership.member, clock: this.outside.clock },
        onNotice: (message) => {
          this.notify(message);
          // For the processes that follow the run.
          this.news?.event(-1, { type: 'notice', at: Date.now(), message });
        },
      });
      const isCompleted = await this.untilOver(client, plan, topic, wait).catch((error: unknown) => {
        this.fail(error);
        return false;
      });
      await this.release([...this.owned]);
      await membership.leave();
      await participation;
      await this.news?.close();
      if (this.failure !== undefined) throw this.failure.error;
      const hasDeadLetters = await this.hasLetters(client, plan, isCompleted);
      return { outcome: isCompleted ? 'completed' : 'stopped', hasDeadLetters };
    } finally {
      await client.close();
    }
  }

  private get graceMs(): number {
    return this.stopGraceMs ?? this.options.graceMs ?? 30_000;
  }

  private async hasLetters(client: KafkaPort, { letterTopic }: StagePlan, isCompleted: boolean): Promise<boolean> {
    const { timeoutMs } = this.options.cluster.options;
    // A completed run has no open transactions, but the marks of the last ones may not be there yet.
    const to = isCompleted ? 'end' : 'latest';
    const topic = this.surroundings?.topics.get(letterTopic) as TopicDescription;
    return (await takenLetters(client, topic, timeoutMs, to)).left > 0;
  }

  private async prepare(client: KafkaPort): Promise<{ topic: TopicDescription; plan: StagePlan }> {
    const { workflow, cluster, secrets, upstream } = this.options;
    const { plan, record, topics, lanes } = await existingRun(client, this.options);
    this.names = lanes;
    const news = (this.news = new NewsWriter(client, topics.get(plan.eventTopic) as TopicDescription));
    this.surroundings = {
      ...{ workflow, cluster, plan, record, topics },
      connect: () => this.outside.connect(cluster),
      checkpointEveryMs: this.options.commitEveryMs ?? 200,
      transactionTimeoutMs: this.options.transactionTimeoutMs ?? DEFAULT_TRANSACTION_TIMEOUT_MS,
      stallMs: this.options.stallMs,
      secrets,
      upstream,
      assertOwned: () => undefined,
      onEvent: (name, event) => {
        news.event(name.lane, event);
        this.report(name, { type: 'event', event });
      },
      onTally: ({ lane }, tally, generation) => {
        news.add({ kind: 'tally', lane, generation, at: Date.now(), tally, isFinal: false });
      },
    };
    return { topic: topics.get(plan.stateTopic) as TopicDescription, plan };
  }

  /** Resolves with true when all lanes of the run have ended, and with false if this worker must stop before that. */
  private async untilOver(
    client: KafkaPort,
    plan: StagePlan,
    topic: TopicDescription,
    wait: LaneWait,
  ): Promise<boolean> {
    const all = laneCount(plan);
    while (!this.isStopping) {
      // A worker with lanes knows without a request that the run is not over.
      if (this.lanes.size === 0 || this.hasWaiting) {
        const reopened = new Set<number>();
        for (const [lane, { metadata }] of await client.committed(plan.group, topic, 'current')) {
          if (metadata === CLOSED) this.ended.add(lane);
          else if (metadata === REOPENED && this.ended.delete(lane)) reopened.add(lane);
        }
        if (this.ended.size === all) return true;
        this.beginMore(reopened);
      }
      wait.check(this.owned.size);
      await this.waiter.waitAtMost(LOOK_EVERY_MS, this.outside.clock);
    }
    return false;
  }

  private assign(lane: number): void {
    this.owned.add(lane);
    if (!this.isWaiting(lane)) void this.begin(lane);
  }

  /** Whether the lane belongs to a phase that has not begun. */
  private isWaiting(lane: number): boolean {
    return (this.names[lane]?.of.phase ?? 0) > this.phase;
  }

  private get hasWaiting(): boolean {
    return [...this.owned].some((lane) => this.isWaiting(lane));
  }

  /** Begins the lanes of each phase whose earlier phases have ended, and those that a replay has opened again. */
  private beginMore(reopened: ReadonlySet<number>): void {
    const waiting = [...this.owned].filter((lane) => reopened.has(lane) || this.isWaiting(lane));
    // The phase of the first lane that has not ended.
    this.phase = Math.min(...this.names.filter(({ lane }) => !this.ended.has(lane)).map(({ of }) => of.phase));
    for (const lane of waiting) if (!this.isWaiting(lane)) void this.begin(lane);
  }

  private async begin(number: number): Promise<void> {
    if (this.isStopping || this.lanes.has(number) || this.ended.has(number)) return;
    const name = this.names[number] as LaneName & { readonly of: Stage };
    const { stage, partition } = name;
    const lane = new Lane({ lane: number, stage, partition }, name.of, this.surroundings as LaneSurroundings);
    this.lanes.set(number, lane);
    const beganMs = this.outside.clock.monotonicMs();
    this.report(lane.name, { type: 'started' });
    const end = await lane.finished;
    this.lanes.delete(number);
    this.report(lane.name, { type: end.kind, ...('error' in end && { error: end.error }) });
    if (end.kind === 'closed') this.ended.add(number);
    if (end.kind === 'failed') await this.again(number, end, this.outside.clock.monotonicMs() - beganMs);
    else this.refusals.delete(number);
    this.waiter.wake();
  }

  /**
   * Tries a lane again that was fenced, or whose file another process still writes, and reports it if that goes on. Any
   * other error ends the worker, as does this one after a time.
   */
  private async again(number: number, { error }: LaneEnd, lastedMs: number): Promise<void> {
    // A lane that was fenced continues elsewhere, at most some seconds after the group has decided so.
    const isLost = codeOf(error) === 'MILLRACE_LOCKED';
    const known = lastedMs > STEADY_MS ? undefined : this.refusals.get(number);
    const refusal = known ?? { times: 0, sinceMs: this.outside.clock.monotonicMs() };
    refusal.times++;
    this.refusals.set(number, refusal);
    if (!isLost || refusal.times % TELL_EVERY === 0) this.tell(number, error);
    if (!this.owned.has(number) || this.isStopping) {
      // Elsewhere, it is not refused any more: a refusal of later belongs to another row.
      this.refusals.delete(number);
      return;
    }
    if (!isLost || this.outside.clock.monotonicMs() - refusal.sinceMs > GIVE_UP_MS) {
      this.fail(error);
      return;
    }
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** (refusal.times - 1), LAST_RETRY_MS);
    await sleep(this.outside.clock, pauseMs, undefined);
    if (this.owned.has(number)) void this.begin(number);
    else this.refusals.delete(number);
  }

  private tell(lane: number, error: unknown): void {
    const message = describeThrown(error);
    this.news?.add({
      ...{ kind: 'stopped', lane, at: Date.now(), code: codeOf(error) },
      message: this.options.secrets?.message(message) ?? message,
    });
  }

  private async release(lanes: readonly number[]): Promise<void> {
    for (const lane of lanes) this.owned.delete(lane);
    const own = lanes.flatMap((lane) => this.lanes.get(lane) ?? []);
    for (const lane of own) lane.stop(this.graceMs);
    await Promise.all(own.map(({ finished }) => finished));
  }

  private async lose(lanes: readonly number[], error: MillraceError): Promise<void> {
    for (const lane of lanes) this.owned.delete(lane);
    const own = lanes.flatMap((lane) => this.lanes.get(lane) ?? []);
    for (const lane of own) lane.lose(error);
    await Promise.all(own.map(({ finished }) => finished));
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    this.stop();
  }

  private notify(message: string): void {
    try {
      this.options.onNotice?.(message);
    } catch (error) {
      this.fail(thrownBy('onNotice', error));
    }
  }

  private report(name: LaneName, what: Pick<WorkerEvent, 'type' | 'error' | 'event'>): void {
    try {
      this.options.onEvent?.({ ...name, ...what });
    } catch (error) {
      this.fail(thrownBy('onEvent', error));
    }
  }
}

function thrownBy(option: string, error: unknown): MillraceError {
  return new MillraceError('MILLRACE_TASK', `\`${option}\` of a worker threw: ${describeThrown(error)}`, {
    cause: error,
  });
}
