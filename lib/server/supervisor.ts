/**
 * The main loop of a server. Each pass adopts and follows runs, decides ticks, and starts queued runs. Of several
 * servers that share a store, each follows its own runs, and the leader decides ticks.
 *
 * Guarantees: it may be ended at any moment, and another supervisor continues from the store and the folders of runs; a
 * decision is committed before anything starts; runs are adopted before ticks are decided, so a schedule sees the runs
 * that are at work. Passes never overlap. A server whose lease may have run out starts and signals no process.
 */
import { describeThrown, MillraceError } from '../model/errors.js';
import type { Json } from '../model/json.js';
import type { ServingRules } from '../model/serving.js';
import { newRunId } from '../runtime/run/run.js';
import { alertOfTicks, alertsOfRun, type Alert } from './alerts/alert.js';
import { decide, ON_TIME_MS } from './schedules/decide.js';
import { jitterOf } from './schedules/jitter.js';
import { backfillTicks, type BackfillTick } from './schedules/backfill.js';
import { storedSchedule, syncSchedules, type Scheduled } from './schedules/sync-schedules.js';
import type { StoredBackfill, StoredSchedule } from './schedules/stored-schedule.js';
import { timetableOf, type Timetable } from './schedules/timetable.js';
import { followUp, type Sight } from './runs/follow.js';
import { chooseFromQueue } from './runs/queue.js';
import { queuedRun } from './runs/queued-run.js';
import { literal, type RunProcesses } from './runs/run-processes.js';
import {
  ACTIVE_STATES,
  isAtWork,
  UNSIGNALLED,
  type ServerRunState,
  type StopWish,
  type StoredRun,
} from './runs/stored-run.js';
import type { Membership } from './servers/membership.js';
import type { DeliveredRun, ServerStore, StoredAlert } from './store/server-store.js';
import { firesAfter, kindOf, type KnownTrigger, type StoredDelivery } from './triggers/known-triggers.js';

export interface SupervisorPorts {
  readonly store: ServerStore;
  readonly membership: Membership;
  readonly processes: RunProcesses;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Returns the id of a new run. Default: `newRunId`. */
  readonly newId?: () => string;
  /** The most runs at work. */
  readonly maxRuns: number;
  /** The sizes of the pools, by name. */
  readonly pools: ReadonlyMap<string, number>;
  /** The rules of a workflow; undefined for one that the server does not know. */
  readonly rulesOf: (workflow: string) => ServingRules | undefined;
  /** The triggers of the workflows. */
  readonly triggers: () => readonly KnownTrigger[];
  /**
   * Whether the workflows were described, so that their rules are known. Until then no run starts, and none ends,
   * because its end may start another one.
   */
  readonly isReady: () => boolean;
  /** Whether alerts are sent; otherwise they are only stored. */
  readonly sendsAlerts: boolean;
  /** The reason why no run may start now, in one sentence; '' if runs may start. Default: always ''. */
  readonly obstacle?: () => string;
  /** Called after each change of a run or a schedule. */
  readonly onChange?: () => void;
}

/** A request for a run. */
export interface RunRequest {
  readonly workflow: string;
  readonly settings: Readonly<Record<string, Json>>;
  readonly askedBy: string;
  readonly requestKey: string | null;
}

/** A request for runs for ticks of the past. */
export interface BackfillRequest {
  readonly from: number;
  readonly to: number;
  /** Whether each tick gets a run, or only those without a run that is queued, at work or completed. */
  readonly ticks: 'all' | 'missing';
  /** Whether its runs may overlap. */
  readonly overlaps: boolean;
  readonly askedBy: string;
  readonly requestKey: string | null;
}

/** An event at which a trigger asks for a run. */
export interface TriggerEvent {
  /** Names the event. It starts one run, also if it is seen several times. */
  readonly key: string;
  /** The id of the message, the path of the file, or the id of the run that has ended. */
  readonly subject: string;
  /** Settings of the event itself. Their texts are used as they are, without environment variables. */
  readonly settings?: Readonly<Record<string, Json>>;
}

/** The most runs, queued or at work, that a pass reads: the oldest ones, so that those behind them have their turn. */
const MOST_ACTIVE = 10_000;
/**
 * A process that a server has started aborts itself when its grace is over (8 s). If it is still at work after this
 * time, it is stuck.
 */
const AGAIN_AFTER_MS = 30_000;
/** The grace that a run of the command line may have. */
const LONGEST_GRACE_MS = 86_400_000;

export class Supervisor {
  private readonly ports: SupervisorPorts;
  private waiting: ReadonlyMap<string, string> = new Map();
  private passing: Promise<unknown> = Promise.resolve();
  /** The runs that are not over and whose processes this server has seen at work. */
  private readonly seenAtWork = new Set<string>();
  /** The ids of the alerts about late runs that were stored: they are not stored again with each pass. */
  private toldLate: ReadonlySet<string> = new Set();
  private readonly nextTicks = new Map<
    string,
    { readonly timetable: Timetable; readonly cursor: number; readonly tick: number | null }
  >();
  private readonly timetables = new Map<
    string,
    { readonly key: string; readonly timetable: Timetable | MillraceError }
  >();

  constructor(ports: SupervisorPorts) {
    this.ports = ports;
  }

  /** One pass. Resolves with the moment of the next tick; null if there is none. */
  pass(): Promise<number | null> {
    return this.inTurn(async () => {
      await this.follow();
      const next = this.ports.membership.isLeader() ? await this.decideTicks() : null;
      await this.dispatch();
      return next;
    });
  }

  /** Whether this server decides ticks, of those that share its store. */
  isLeader(): boolean {
    return this.ports.membership.isLeader();
  }

  /** Does some work between two passes, and before any other work of the supervisor. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.inTurn(work);
  }

  /** The reason why a queued run waits, in one sentence; undefined if it is not known to wait. */
  whyWaiting(runId: string): string | undefined {
    return this.waiting.get(runId);
  }

  /** Updates the schedules of the store from those of the workflows. */
  async sync(workflows: readonly Scheduled[], isWhole: boolean): Promise<void> {
    await this.inTurn(async () => {
      const { store, now } = this.ports;
      const change = (known: readonly StoredSchedule[]): readonly StoredSchedule[] =>
        syncSchedules(workflows, known, now(), isWhole);
      // Usually there is nothing to change, and nobody else has to wait.
      if (change(await store.schedules()).length === 0) return;
      await store.changeSchedules(change);
      this.changed();
    });
  }

  /** The timetable of a schedule, or the error of its rule. */
  timetable({ id, schedule }: Pick<StoredSchedule, 'id' | 'schedule'>): Timetable | MillraceError {
    const key = JSON.stringify(schedule);
    const known = this.timetables.get(id);
    if (known?.key === key) return known.timetable;
    let timetable: Timetable | MillraceError;
    try {
      timetable = timetableOf(schedule);
    } catch (error) {
      timetable =
        error instanceof MillraceError ? error : new MillraceError('MILLRACE_INVALID_OPTION', describeThrown(error));
    }
    this.timetables.set(id, { key, timetable });
    return timetable;
  }

  /** Queues a run. A second request with the same request key returns the same run. */
  async request({
    workflow,
    settings,
    askedBy,
    requestKey,
  }: RunRequest): Promise<{ readonly run: StoredRun; readonly isNew: boolean }> {
    const { store, now } = this.ports;
    const run = queuedRun(workflow, now(), {
      ...{ id: this.newId(), origin: 'request', settings, isLiteral: true, askedBy, requestKey },
    });
    const kept = await store.addRun(run);
    this.changed();
    return { run: kept, isNew: kept.id === run.id };
  }

  /** Queues the run that a trigger requests at an event. A known event returns its run again. */
  async deliver(
    trigger: KnownTrigger,
    event: TriggerEvent,
  ): Promise<{ readonly delivery: StoredDelivery; readonly isNew: boolean }> {
    const { delivery, run } = this.deliveredRun(trigger, event);
    const kept = await this.ports.store.deliver(delivery, run);
    const isNew = kept.runId === run.id;
    if (isNew) this.changed();
    return { delivery: kept, isNew };
  }

  /** Asks a run to stop. Returns false if it is neither queued nor at work. */
  async stop(runId: string, wish: StopWish): Promise<boolean> {
    return this.inTurn(async () => {
      const { store, now } = this.ports;
      // A run whose replay has not begun is still completed.
      const state = (await store.run(runId))?.isReplay === true ? 'completed' : 'cancelled';
      const isQueued = await store.changeRun(runId, ['queued'], { state, isReplay: false, endedAt: now() });
      const isWished = isQueued || (await store.changeRun(runId, ['starting', 'running'], { stopWish: wish }));
      const run = isWished && !isQueued ? await store.run(runId) : undefined;
      // Another owner finds the wish in its next pass.
      if (run?.owner === this.ports.membership.number) await this.signal(run, wish);
      this.changed();
      return isWished;
    });
  }

  /**
   * Signals each wish once, also if another server has begun: a second signal would abort a run that drains, or kill
   * one that aborts. A run that is at work long after its grace is signalled again.
   */
  private async signal(run: StoredRun, wish: StopWish): Promise<void> {
    const { store, processes, membership, now } = this.ports;
    const { id, origin, signalled, signalledAt } = run;
    const againMs = AGAIN_AFTER_MS + (origin === 'command line' ? LONGEST_GRACE_MS : 0);
    const isRecent = signalledAt !== null && now() - signalledAt < againMs;
    if (isRecent && (signalled === wish || signalled === 'cancel')) return;
    // Stored before the signal: if this server dies in between, the next one must not abort a run that drains.
    await store.changeRun(id, ['starting', 'running'], { signalled: wish, signalledAt: now() });
    // A run that a server has started and that outlived its grace is stuck: it does not react to signals.
    const isStuck = signalled === 'cancel' && origin !== 'command line';
    membership.assertHeld();
    const isSignalled = await processes.stop(id, isStuck ? 'kill' : wish);
    if (!isSignalled) await store.changeRun(id, ['starting', 'running'], { signalled, signalledAt });
  }

  /** Queues a run that has ended without completing, so that it resumes. Returns false if it is in another state. */
  resume(runId: string): Promise<boolean> {
    return this.queueAgain(runId, ['failed', 'drained', 'cancelled', 'interrupted'], false);
  }

  /** Queues a completed run, so that its dead letters are replayed. Returns false if it is in another state. */
  replay(runId: string): Promise<boolean> {
    return this.queueAgain(runId, ['completed'], true);
  }

  private async queueAgain(runId: string, from: readonly ServerRunState[], isReplay: boolean): Promise<boolean> {
    const { store, now } = this.ports;
    const change = {
      state: 'queued',
      stopWish: null,
      endedAt: null,
      workingSince: null,
      queuedAt: now(),
      problem: '',
      isReplay,
      ...UNSIGNALLED,
    } as const;
    const isQueued = await store.changeRun(runId, from, change);
    this.changed();
    return isQueued;
  }

  /**
   * Pauses a schedule, or ends its pause. Ticks during the pause have no runs. Returns false if there is no such
   * schedule.
   */
  async pause(scheduleId: string, pause: StoredSchedule['pause']): Promise<boolean> {
    return this.inTurn(async () => {
      const { store } = this.ports;
      // Ticks that are due until now are decided under the old rule.
      await this.decideTicks();
      const paused = await store.changeSchedules((known) =>
        known.filter(({ id }) => id === scheduleId).map((one) => ({ ...one, isPaused: pause !== null, pause })),
      );
      if (paused.length === 0) return false;
      this.changed();
      return true;
    });
  }

  /**
   * Makes a schedule, or changes one. A change of its rule applies from now on: no tick of the past is decided again.
   */
  async putSchedule(one: Pick<StoredSchedule, 'workflow' | 'name' | 'schedule'> & { madeBy: string }): Promise<void> {
    await this.inTurn(async () => {
      const { store, now } = this.ports;
      // Ticks that are due until now are decided under the old rule.
      await this.decideTicks();
      const id = `${one.workflow}/${one.name}`;
      await store.changeSchedules((known) => {
        const old = known.find((other) => other.id === id);
        return [storedSchedule({ ...one, id }, old, now())];
      });
      this.changed();
    });
  }

  /** Removes a schedule. Its history and its runs stay. Returns false if there is none. */
  async removeSchedule(scheduleId: string): Promise<boolean> {
    return this.inTurn(async () => {
      const isRemoved = await this.ports.store.removeSchedule(scheduleId);
      this.changed();
      return isRemoved;
    });
  }

  /**
   * The ticks that a backfill would have runs for. Rejects with MILLRACE_USAGE for a range without ticks, or with too
   * many. Empty if none is missing.
   */
  async backfillTicks(
    schedule: StoredSchedule,
    { from, to, ticks }: Pick<BackfillRequest, 'from' | 'to' | 'ticks'>,
  ): Promise<readonly BackfillTick[]> {
    const timetable = this.timetable(schedule);
    if (timetable instanceof MillraceError) throw timetable;
    const all = backfillTicks(timetable, { from, to, now: this.ports.now() });
    if (ticks === 'all') return all;
    const done = new Set(
      await this.ports.store.ticksWithRun(schedule.id, { from, to }, [...ACTIVE_STATES, 'completed']),
    );
    return all.filter(({ tick }) => !done.has(tick));
  }

  /** Queues a run for each tick of the range, oldest first. A second request with the same request key adds nothing. */
  async backfill(
    schedule: StoredSchedule,
    request: BackfillRequest,
  ): Promise<{ readonly backfill: StoredBackfill; readonly isNew: boolean }> {
    const { store, now } = this.ports;
    const { from, to, overlaps, askedBy, requestKey } = request;
    const ticks = await this.backfillTicks(schedule, request);
    if (ticks.length === 0) {
      // The same request, whose runs were queued meanwhile.
      const known = requestKey === null ? undefined : await store.backfillWithKey(requestKey);
      if (known !== undefined) return { backfill: known, isNew: false };
      const range = `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;
      throw new MillraceError(
        'MILLRACE_USAGE',
        `No run is missing from ${range}: each tick has a run that is queued, at work or completed. Ask for all ticks to have them again`,
      );
    }
    const at = now();
    const id = this.newId();
    const { workflow } = schedule;
    const { settings = {} } = schedule.schedule;
    const backfill = { id, schedule: schedule.id, workflow, from, to, count: ticks.length, askedBy, at, requestKey };
    const runs = ticks.map(({ tick, covers }) =>
      queuedRun(workflow, at, {
        ...{ id: this.newId(), origin: 'backfill', backfill: id, askedBy, isExclusive: !overlaps },
        ...{ scheduledFor: tick, coversFrom: covers.from, coversTo: covers.to },
        ...{ settings, isLiteral: schedule.madeBy !== null },
      }),
    );
    const kept = await store.addBackfill(backfill, runs);
    this.changed();
    return { backfill: kept, isNew: kept.id === id };
  }

  /** Stops the runs of a backfill that are queued or at work. Returns their number. */
  async stopBackfill(id: string, wish: StopWish): Promise<number> {
    const active = await this.ports.store.runs({
      backfill: id,
      states: ACTIVE_STATES,
      limit: MOST_ACTIVE,
      oldestFirst: true,
    });
    let stopped = 0;
    // The queued ones first, so that none of them starts when one at work ends.
    for (const run of [...active].sort((a, b) => Number(isAtWork(a)) - Number(isAtWork(b)))) {
      if (await this.stop(run.id, wish)) stopped++;
    }
    return stopped;
  }

  private async follow(): Promise<void> {
    const { store, processes, membership, now } = this.ports;
    for (const run of await store.followedRuns(MOST_ACTIVE)) {
      const sight = await this.sightOf(run);
      if (sight === undefined) continue;
      // Only a server of its host can signal a process.
      const nearer = sight.elsewhere === undefined ? undefined : membership.serverOn(sight.elsewhere);
      if (nearer !== undefined) {
        await store.handOver(run.id, nearer);
        continue;
      }
      const step = followUp(run, sight, now(), this.ports.rulesOf(run.workflow));
      if (step === undefined) {
        // A wish that came before the process had begun.
        if (run.stopWish !== null && sight.state === 'working') await this.signal(run, run.stopWish);
        continue;
      }
      if (sight.state === 'working') this.seenAtWork.add(run.id);
      const isEnd = step.change.endedAt !== undefined;
      if (isEnd && !this.ports.isReady()) continue;
      // A run of the command line may have ended long before this server began.
      const isNews = run.origin !== 'command line' || this.seenAtWork.has(run.id);
      const alerts = isNews ? this.alertsOf({ ...run, ...step.change }) : [];
      // The end of a replay is no news for the workflows after it.
      const runsAfter = isEnd && !run.isReplay ? this.runsAfter({ ...run, ...step.change }) : [];
      if (!(await store.changeRun(run.id, ['starting', 'running'], step.change, { alerts, runsAfter }))) continue;
      if (step.start) await this.start(run, sight.incarnation + 1);
      else if (isEnd) {
        processes.forget(run.id);
        this.seenAtWork.delete(run.id);
      }
      this.changed();
    }
  }

  /**
   * The observed facts about a run; undefined if its folder cannot be read. Then this run ends, and others continue.
   */
  private async sightOf(run: StoredRun): Promise<Sight | undefined> {
    const { store, processes, now } = this.ports;
    try {
      return await processes.look(run.id);
    } catch (error) {
      // Other errors may be temporary, such as too many open files.
      if (!(error instanceof MillraceError)) throw error;
      const change = { state: 'interrupted', endedAt: now(), problem: describeThrown(error), ...UNSIGNALLED } as const;
      const over = { ...run, ...change };
      const along = { alerts: this.alertsOf(over), runsAfter: this.runsAfter(over) };
      await store.changeRun(run.id, [run.state], change, along);
      processes.forget(run.id);
      this.changed();
      return undefined;
    }
  }

  /** The runs that the end of this one starts. */
  private runsAfter(run: StoredRun): readonly DeliveredRun[] {
    const { id: subject, workflow, state, origin, endedAt, scheduledFor, coversFrom, coversTo } = run;
    if (origin === 'backfill' || origin === 'command line') return [];
    return this.ports.triggers().flatMap((known) => {
      const { trigger, problem } = known;
      if (!('after' in trigger) || problem !== '' || trigger.after !== workflow) return [];
      if (!firesAfter(state, trigger.when)) return [];
      // The key contains the time of the end, because a resumed run may end once more.
      const event = { key: `${subject} ${endedAt ?? 0}`, subject };
      const { delivery, run: next } = this.deliveredRun(known, event);
      return [{ delivery, run: { ...next, scheduledFor, coversFrom, coversTo } }];
    });
  }

  private async decideTicks(): Promise<number | null> {
    const { store, now } = this.ports;
    let next: number | null = null;
    // Before the runs: a run that another server has added since then has moved the cursor too, so the pass is refused.
    const schedules = await store.schedules();
    const active = await store.runs({ states: ACTIVE_STATES, limit: MOST_ACTIVE, oldestFirst: true });
    for (const schedule of schedules) {
      if (!schedule.isPresent) continue;
      const timetable = this.timetable(schedule);
      if (timetable instanceof MillraceError) continue;
      const at = now();
      // Most schedules have nothing to decide in most passes, and their next ticks are costly to compute.
      const pending = this.nextTick(schedule, timetable);
      if (pending === null || pending > at) {
        if (pending !== null) next = Math.min(next ?? pending, pending);
        continue;
      }
      const own = active.filter((run) => run.schedule === schedule.id);
      const situation = {
        now: at,
        atWork: own.filter(isAtWork).length,
        queued: own.filter((run) => !isAtWork(run)).length,
      };
      const pass = decide(schedule.schedule, timetable, schedule, situation);
      const upcoming = timetable.next(Math.max(at, pass.cursor));
      if (upcoming !== null) next = Math.min(next ?? upcoming, upcoming);
      if (pass.decisions.length === 0) continue;
      await store.commitPass({
        schedule: schedule.id,
        cursorBefore: schedule.cursor,
        generation: schedule.generation,
        isPaused: schedule.isPaused,
        cursor: pass.cursor,
        coveredTo: pass.coveredTo,
        at,
        runs: pass.decisions.flatMap((decision) =>
          decision.kind === 'no-run'
            ? []
            : [
                queuedRun(schedule.workflow, at, {
                  id: this.newId(),
                  origin: 'schedule',
                  schedule: schedule.id,
                  scheduledFor: decision.tick,
                  coversFrom: decision.covers.from,
                  coversTo: decision.covers.to,
                  isExclusive: decision.isExclusive,
                  notBefore: notBeforeOf(schedule, decision.tick, at),
                  settings: schedule.schedule.settings ?? {},
                  // Values that came over HTTP are never read as references to environment variables.
                  isLiteral: schedule.madeBy !== null,
                }),
              ],
        ),
        noRuns: pass.decisions.filter((decision) => decision.kind === 'no-run'),
        alerts: pass.decisions.flatMap((decision) => {
          const alert = decision.kind === 'run' ? undefined : alertOfTicks(decision, schedule, at);
          return alert === undefined ? [] : [this.toBeSent(alert)];
        }),
      });
      this.changed();
    }
    return next;
  }

  /** The first tick after the cursor of a schedule; null if there is none. */
  private nextTick({ id, cursor }: StoredSchedule, timetable: Timetable): number | null {
    const known = this.nextTicks.get(id);
    if (known?.timetable === timetable && known.cursor === cursor) return known.tick;
    const tick = timetable.next(cursor);
    this.nextTicks.set(id, { timetable, cursor, tick });
    return tick;
  }

  /** Alerts about runs that are not over in time. */
  private async watchTimes(active: readonly StoredRun[]): Promise<void> {
    const late = active.flatMap((run) => this.alertsOf(run));
    const fresh = late.filter(({ id }) => !this.toldLate.has(id));
    if (fresh.length > 0) await this.ports.store.addAlerts(fresh);
    this.toldLate = new Set(late.map(({ id }) => id));
  }

  private alertsOf(run: StoredRun): readonly StoredAlert[] {
    const { rulesOf, now } = this.ports;
    return alertsOfRun(run, rulesOf(run.workflow), now()).map((alert) => this.toBeSent(alert));
  }

  private toBeSent(alert: Alert): StoredAlert {
    return { ...alert, attempts: 0, nextAt: this.ports.sendsAlerts ? alert.at : null, sentAt: null, problem: '' };
  }

  private async dispatch(): Promise<void> {
    const { store, membership, now, maxRuns, pools, rulesOf } = this.ports;
    const active = await store.runs({ states: ACTIVE_STATES, limit: MOST_ACTIVE, oldestFirst: true });
    if (this.ports.isReady() && membership.isLeader()) await this.watchTimes(active);
    const why = this.ports.isReady() ? this.ports.obstacle?.() : 'It waits until the workflows can be described';
    if (why !== undefined && why !== '') {
      this.waiting = new Map(active.filter((run) => !isAtWork(run)).map(({ id }) => [id, why]));
      return;
    }
    const { number: server } = membership;
    const hasElsewhere = (pool: string): boolean => membership.hasPool(pool);
    const places = { maxRuns, pools, rulesOf, server, hasElsewhere, now: now() };
    const { start, waiting } = chooseFromQueue(active, places);
    this.waiting = waiting;
    const changes = new Map<string, Partial<StoredRun>>();
    for (const run of active.filter(({ id }) => start.includes(id))) {
      const sight = await this.sightOf(run);
      if (sight === undefined) continue;
      const { incarnation, settled } = sight;
      changes.set(run.id, {
        ...{ incarnationBefore: incarnation, settledAtStart: settled },
        ...{ fruitlessResumes: 0, problem: '' },
      });
    }
    if (changes.size === 0) return;
    // Chosen again among the runs of this moment: another server may have taken some of the places.
    const claimed = await store.claimRuns(ACTIVE_STATES, MOST_ACTIVE, (latest) => {
      const chosen = chooseFromQueue(latest, places).start;
      return new Map([...changes].filter(([id]) => chosen.includes(id)));
    });
    for (const run of claimed) await this.start(run, run.incarnationBefore + 1);
    if (claimed.length > 0) this.changed();
  }

  /** Starts a process, unless this server may have lost its lease since it has claimed the run. */
  private async start(run: StoredRun, incarnation: number): Promise<void> {
    this.ports.membership.assertHeld();
    await this.ports.processes.start(run, incarnation);
  }

  /** Does one work after another, because an answer must not depend on a state that another pass is changing. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.passing.then(work);
    this.passing = turn.catch(() => undefined);
    return turn;
  }

  private deliveredRun({ id, workflow, trigger }: KnownTrigger, event: TriggerEvent): DeliveredRun {
    const { key, subject, settings = {} } = event;
    const at = this.ports.now();
    const run = queuedRun(workflow, at, {
      ...{ id: this.newId(), origin: kindOf(trigger), triggeredBy: id, subject },
      // The workflow may name environment variables; the event may not.
      settings: { ...trigger.settings, ...(literal(settings) as typeof settings) },
    });
    return { delivery: { trigger: id, key, subject, at, runId: run.id }, run };
  }

  private newId(): string {
    return (this.ports.newId ?? newRunId)();
  }

  private changed(): void {
    this.ports.onChange?.();
  }
}

/** The start time of a run after its jitter; null for a run that is late already. */
function notBeforeOf({ id, schedule }: StoredSchedule, tick: number, now: number): number | null {
  const isLate = now - tick > ON_TIME_MS;
  return schedule.jitter === undefined || isLate ? null : tick + jitterOf(id, tick, schedule.jitter);
}
