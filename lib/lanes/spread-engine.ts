/**
 * The engine of a run whose tasks run in lanes: it creates the run on the cluster, lets a crew of workers work on it,
 * and follows all workers of the run, also those of other machines.
 *
 * Guarantees: it ends exactly once, after its crew. A completed run has reported all its dead letters. Tasks whose rules
 * are met by another end than completion run after the crew, in this process.
 */
import { Waiter } from '../model/awaitable.js';
import { systemClock } from '../model/clock.js';
import { codeOf, describeThrown, MillraceError } from '../model/errors.js';
import { EVENT_VERSION, type RunEvent } from '../model/events.js';
import type { TaskCounts } from '../model/metrics.js';
import type { RunOutcome } from '../model/ports.js';
import type { RunSummary } from '../model/run-summary.js';
import type { ExecutorStats } from '../model/thread-stats.js';
import type { KafkaPort } from '../connectors/kafka/port.js';
import { openClient } from '../connectors/kafka/raw-client.js';
import { weaknessOf } from '../connectors/kafka/topic-safety.js';
import type { EngineOfRun } from '../runtime/run/engine-of-run.js';
import type { DrainOptions } from '../runtime/run/draining.js';
import { maskEvent } from '../runtime/run/mask-event.js';
import type { RunFace } from '../runtime/run/run-face.js';
import { PhaseOrder } from '../runtime/run/phase-order.js';
import { graphOfRun } from '../runtime/run/run-graph.js';
import type { RunParts } from '../runtime/run/run-parts.js';
import { maskSecrets } from '../text/mask-secrets.js';
import { Secrets } from '../text/secrets.js';
import { Departures } from './departures.js';
import { readGenerations } from './generations.js';
import { DEFAULT_TRANSACTION_TIMEOUT_MS } from './lane-transaction.js';
import { takenLetters } from './letter-topic.js';
import { RunTotals } from './run-totals.js';
import { RunView } from './run-view.js';
import { SpreadAftermath } from './spread-aftermath.js';
import type { SpreadWorkflow } from './stage-workflow.js';
import { workerName } from './worker-name.js';
import { ensureRun, stagesOf, type SpreadOptions } from './cluster-run.js';

/** The end of the process of a worker. */
export interface WorkerExit {
  /** The id of the process. */
  readonly pid: number;
  /** Continues its name, such as "was ended by SIGKILL". */
  readonly how: string;
}

/** The workers of a run that this process has started. */
export interface Crew {
  /**
   * Resolves when all workers have ended. Rejects with the error of a failed worker if no worker saw the end of the
   * run.
   */
  readonly finished: Promise<'completed' | 'stopped'>;
  /** Calls the listener for each worker whose process ends before the end of the run. Absent for workers without one. */
  watch?(listener: (end: WorkerExit) => void): void;
  /** Drains the workers: records in flight settle, for at most `graceMs`. */
  stop(graceMs: number | undefined): void;
  /** Ends the workers at once. */
  kill(): void;
}

/** Starts the crew of a run. */
export type StartCrew = (options: SpreadOptions, parts: RunParts) => Crew;

/** What this machine remembers of a run, in case its topics are deleted. */
export interface RunMemory {
  /** The id of the run on its cluster; undefined if it has not been seen there. */
  recall(): Promise<string | undefined>;
  /** Called with the id before any worker begins. */
  keep(id: string): Promise<void>;
}

/** The part of `SpreadOptions` that a carrier is given. */
export type CarrierParts = Omit<SpreadOptions, 'workflow' | 'runId'> & {
  readonly replication?: number;
  readonly memory?: RunMemory | undefined;
};

const LOOK_EVERY_MS = 250;
const LOOK_AT_GROUP_EVERY_MS = 1000;
const NO_THREADS: ExecutorStats = { size: 0, queued: 0, replaced: 0, threads: [] };

export class SpreadEngine implements EngineOfRun {
  readonly threads = NO_THREADS;
  private readonly options: SpreadOptions;
  private readonly replication: number | undefined;
  private readonly memory: RunMemory | undefined;
  private readonly parts: RunParts;
  private readonly face: RunFace;
  private readonly startCrew: StartCrew;
  private readonly secrets: Secrets;
  private readonly startedAt = systemClock.now();
  private crew: Crew | undefined;
  private totals: RunTotals;
  /** The end that a caller has requested; undefined if none has. */
  private asked: 'drained' | 'cancelled' | undefined;
  private failure: { readonly error: unknown } | undefined;
  private readonly waiter = new Waiter();
  /** How the tasks have ended; undefined before the end. */
  private order: PhaseOrder | undefined;
  private aftermath: SpreadAftermath | undefined;

  constructor(
    workflow: SpreadWorkflow,
    { replication, memory, ...cluster }: CarrierParts,
    parts: RunParts,
    face: RunFace,
    startCrew: StartCrew,
  ) {
    this.options = { ...cluster, workflow, runId: parts.runId };
    this.totals = new RunTotals(workflow, []);
    this.replication = replication;
    this.memory = memory;
    this.parts = parts;
    this.face = face;
    this.startCrew = startCrew;
    const secrets = (this.secrets = parts.secrets ?? new Secrets());
    secrets.addConfig(parts.config);
    secrets.keep([parts.runId, parts.workflow, ...parts.plan.nodes.map(({ node }) => node.name)]);
    face.events.mask = (event) => maskEvent(event, secrets);
    parts.deadLetters.whenBroken((error) => {
      this.fail(error);
    });
  }

  get counts(): Readonly<Record<string, TaskCounts>> {
    return this.totals.counts;
  }

  get isInAftermath(): boolean {
    return this.aftermath !== undefined;
  }

  async start(): Promise<void> {
    let client: KafkaPort | undefined;
    let outcome: RunOutcome = 'failed';
    this.introduce();
    if (this.parts.signal?.aborted === true) this.cancel();
    try {
      await this.parts.deadLetters.open?.();
      client = await openClient(this.options.cluster, (message) => {
        this.notice(message);
      });
      if (this.asked === undefined) await this.ensure(client);
      await this.warn(client);
      outcome = this.asked ?? (await this.untilOver(await this.viewOn(client), await this.departuresOn(client)));
    } catch (error) {
      this.failure ??= { error };
      outcome = 'failed';
      // The workers end too, because this process can no longer report their work.
      this.crew?.kill();
      await this.crew?.finished.catch(() => undefined);
    }
    if (client !== undefined && this.crew !== undefined) outcome = await this.settle(outcome, client);
    await client?.close().catch(() => undefined);
    await this.end(outcome);
  }

  cancel(): void {
    if (this.aftermath !== undefined) {
      this.aftermath.cancel();
      return;
    }
    this.asked = 'cancelled';
    this.crew?.kill();
    this.waiter.wake();
  }

  drain({ graceMs = this.parts.graceMs }: DrainOptions = {}): void {
    if (this.asked !== undefined || this.aftermath !== undefined) return;
    this.asked = 'drained';
    this.emit({ type: 'draining', at: systemClock.now() });
    this.crew?.stop(graceMs);
    this.waiter.wake();
  }

  fail(error: unknown): void {
    this.failure ??= { error };
    this.crew?.kill();
    this.waiter.wake();
  }

  private async ensure(client: KafkaPort): Promise<void> {
    const { memory, replication: replicationFactor } = this;
    const known = await memory?.recall();
    const { id } = await ensureRun(client, this.options, { replicationFactor, known });
    if (id !== known) await memory?.keep(id);
  }

  /** The topics of a run have the same settings, so one of them stands for all. */
  private async warn(client: KafkaPort): Promise<void> {
    const { stateTopic } = stagesOf(this.options);
    const weakness = await weaknessOf(client, await client.describe(stateTopic));
    if (weakness !== undefined) this.notice(weakness);
  }

  private introduce(): void {
    const { runId, workflow, description, plan, declarations, window, seed, config } = this.parts;
    this.emit({
      ...{ type: 'run-started', version: EVENT_VERSION, at: this.startedAt, runId, workflow, description },
      graph: graphOfRun(plan, declarations),
      ...{ hops: [], window, threads: 1, seed },
      config: maskSecrets(config),
    });
  }

  private async viewOn(client: KafkaPort): Promise<RunView> {
    const { workflow, cluster } = this.options;
    const plan = stagesOf(this.options);
    const { deadLetters } = this.parts;
    const { timeoutMs } = cluster.options;
    // The workers of an earlier process may have died a moment ago.
    const patienceMs = timeoutMs + DEFAULT_TRANSACTION_TIMEOUT_MS;
    const letterTopic = await client.describe(plan.letterTopic);
    const { ofLanes } = await readGenerations(client, await client.describe(plan.runTopic), patienceMs);
    const { taken } = await takenLetters(client, letterTopic, patienceMs);
    this.totals = new RunTotals(workflow, plan.stages, ofLanes);
    return new RunView({
      ...{ client, totals: this.totals, timeoutMs, letterTopic, taken },
      eventTopic: await client.describe(plan.eventTopic),
      emit: (event) => {
        this.emit(event);
      },
      onLetter: (letter) => {
        deadLetters.write(letter);
      },
    });
  }

  private async departuresOn(client: KafkaPort): Promise<Departures> {
    const { group, stateTopic } = stagesOf(this.options);
    return new Departures({
      ...{ client, group, stateTopic: await client.describe(stateTopic) },
      onNotice: (message) => {
        this.notice(message);
      },
    });
  }

  /** Follows the run until its crew has ended. */
  private async untilOver(view: RunView, departures: Departures): Promise<RunOutcome> {
    // Typed as fields, because callbacks change them.
    const end: { how?: 'completed' | 'stopped'; errors: unknown[] } = { errors: [] };
    if (this.asked !== undefined) return this.asked;
    const { failure } = this;
    if (failure !== undefined) throw failure.error;
    const crew = (this.crew = this.startCrew(this.options, this.parts));
    void crew.finished
      .then(
        (how) => {
          end.how = how;
        },
        (thrown: unknown) => {
          end.how = 'stopped';
          end.errors.push(thrown);
        },
      )
      .then(() => {
        this.waiter.wake();
      });
    const exits: WorkerExit[] = [];
    crew.watch?.((exit) => {
      exits.push(exit);
      this.waiter.wake();
    });
    let lookedAtMs = -Infinity;
    const lookOnce = async (): Promise<void> => {
      // Workers that this process has asked to end are no news.
      const ended = this.asked === undefined ? exits.splice(0) : [];
      await departures.ended(new Map(ended.map(({ pid, how }) => [workerName(pid), how])));
      if (systemClock.monotonicMs() - lookedAtMs < LOOK_AT_GROUP_EVERY_MS) return;
      lookedAtMs = systemClock.monotonicMs();
      await departures.look();
    };
    let looking: Promise<void> | undefined;
    // The run does not need the group, which may have no coordinator for a while, or may be hidden from this process.
    const lookAtGroup = (): Promise<void> =>
      (looking ??= lookOnce()
        .catch(() => undefined)
        .finally(() => {
          looking = undefined;
        }));
    while (end.how === undefined) {
      // A worker that has died may have left a transaction open, which does not stop the others.
      await view.look('latest');
      void lookAtGroup();
      await this.waiter.waitAtMost(LOOK_EVERY_MS, systemClock);
    }
    if (end.how === 'stopped') {
      await looking;
      await lookAtGroup();
    }
    departures.close();
    await view.look(end.how === 'completed' ? 'end' : 'latest');
    view.measure();
    if (this.failure !== undefined) throw this.failure.error;
    if (end.how === 'completed') return 'completed';
    const asked = this.howAsked();
    if (asked !== undefined) return asked;
    if (end.errors.length > 0) throw end.errors[0];
    const { stopped } = view;
    throw new MillraceError(
      'MILLRACE_TASK',
      stopped === undefined
        ? 'All workers of this machine have ended before the run. Start the run again with the same id to continue it'
        : `The run stopped: ${stopped.code}: ${stopped.message}. Start it again with the same id to continue it`,
    );
  }

  /** A method, not the field, so that TypeScript does not narrow it across awaits. */
  private howAsked(): 'drained' | 'cancelled' | undefined {
    return this.asked;
  }

  /** Records how the tasks have ended, and runs those whose rules are met by this end. Resolves with the outcome. */
  private async settle(outcome: RunOutcome, client: KafkaPort): Promise<RunOutcome> {
    const { parts, secrets, totals, startedAt } = this;
    const { group } = stagesOf(this.options);
    const begun = new Set(totals.begun);
    const order = (this.order = new PhaseOrder(parts.plan, totals.endedCounts, begun));
    const emit = (event: RunEvent): void => {
      this.emit(event);
    };
    while (order.hasNext) {
      for (const [task, reason] of order.begin() ?? []) {
        emit({ type: 'task-skipped', at: systemClock.now(), task, reason });
      }
      if (order.tasks.length === 0) continue;
      order.end(outcome, totals.counts, outcome === 'failed' ? this.errorInWords() : undefined);
      break;
    }
    if (!order.hasNext) return outcome;
    const { workflow } = this.options;
    const aftermath = (this.aftermath = new SpreadAftermath({
      ...{ workflow, parts, client, group, order, totals, secrets, outcome, startedAt, emit },
    }));
    const failures = await aftermath.run().catch((error: unknown) => [error]);
    if (failures.length === 0) return outcome;
    if (this.failure === undefined) this.failure = { error: failures.shift() };
    for (const error of failures) {
      const message = `After the end of the run: ${secrets.message(describeThrown(error))}`;
      emit({ type: 'notice', at: systemClock.now(), message });
    }
    return 'failed';
  }

  private errorInWords(): { readonly code: string; readonly message: string } {
    const error = this.failure?.error;
    return { code: codeOf(error), message: this.secrets.message(describeThrown(error)) };
  }

  private async end(wanted: RunOutcome): Promise<void> {
    let outcome = wanted;
    const fail = (error: unknown): void => {
      this.failure ??= { error };
      outcome = 'failed';
    };
    const { deadLetters, release, onEnd } = this.parts;
    await deadLetters.close().catch(fail);
    await Promise.resolve(release?.()).catch(fail);
    const summarize = (): RunSummary => this.summarize(outcome);
    try {
      await onEnd?.(summarize());
    } catch (error) {
      fail(error);
    }
    this.face.onEnd(summarize(), outcome === 'failed' ? this.failure?.error : undefined);
  }

  private summarize(outcome: RunOutcome): RunSummary {
    const { runId, description } = this.parts;
    const head = {
      ...{ runId, description, outcome, startedAt: this.startedAt, endedAt: systemClock.now() },
      ...(outcome === 'failed' ? { error: this.errorInWords() } : {}),
    };
    return this.secrets.data(this.totals.summary(head, this.order));
  }

  private notice(message: string): void {
    this.emit({ type: 'notice', at: systemClock.now(), message });
  }

  private emit(event: RunEvent): void {
    this.face.events.emit(event);
  }
}
