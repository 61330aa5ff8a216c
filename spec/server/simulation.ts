/**
 * A server in virtual time, with crashes at its awaits: the store is the real one, the processes of runs are simulated.
 *
 * `simulate` throws where a law is broken. The laws: each tick up to the cursor has exactly one decision, and nothing
 * else has; a run is never worked on by two processes; nothing starts before its tick; exclusive runs of a schedule, or
 * of a backfill, never overlap; a backfill has all of its runs, or is not there; the runs of a schedule cover the time
 * without gap and overlap; a run that drains is not signalled again; each run that has
 * ended by itself starts one run of the workflow after it; in the end each run is over.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { seededRandom } from 'millrace';
import type { Sight } from '#lib/server/runs/follow.js';
import type { RunProcesses } from '#lib/server/runs/run-processes.js';
import { isAtWork, type StopWish, type StoredRun } from '#lib/server/runs/stored-run.js';
import type { Scheduled } from '#lib/server/schedules/sync-schedules.js';
import { timetableOf } from '#lib/server/schedules/timetable.js';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { firesAfter, type KnownTrigger } from '#lib/server/triggers/known-triggers.js';
import { ONLY_SERVER } from '#lib/server/servers/membership.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';
import { Supervisor } from '#lib/server/supervisor.js';

export const MINUTE = 60_000;
const MAX_RUNS = 4;
const GRACE_MS = 8_000;
/** Each run of Flow that has ended by itself starts one of Next. */
const NEXT: KnownTrigger = {
  ...{ id: 'Next/after', workflow: 'Next', name: 'after', problem: '' },
  trigger: { after: 'Flow', when: 'ended' },
};
/** The rules of a supervisor: no limits but those of places, and a workflow that starts after each run. */
export const RULES = {
  maxRuns: MAX_RUNS,
  pools: new Map(),
  rulesOf: () => undefined,
  triggers: () => [NEXT],
  isReady: () => true,
  sendsAlerts: true,
  membership: ONLY_SERVER,
} as const;

export const SCHEDULES: Scheduled['schedules'] = {
  skip: { every: '1m', jitter: '20s' },
  queue: { cron: '*/7 * * * *', zone: 'Europe/Berlin', overlap: 'queue', catchUp: 'all' },
  allow: { every: '90s', overlap: 'allow', catchUp: 'none' },
};

export interface Figures {
  readonly runs: number;
  readonly ticks: number;
  readonly crashes: number;
}

/** A hole for one bug at a time: each test of the simulation plants one, and must see it found. */
export interface Plant {
  /** Wraps the store that the server gets. */
  readonly store?: (store: ServerStore) => ServerStore;
  /** Wraps the processes that the server gets. */
  readonly processes?: (processes: RunProcesses) => RunProcesses;
}

/** The end of a server in the middle of its work. */
export class Crash extends Error {}

interface Process {
  readonly begunAt: number;
  readonly endsAt: number;
  readonly dies: boolean;
}

export async function simulate(seed: number, plant: Plant = {}): Promise<Figures> {
  const random = seededRandom(seed);
  const birth = 1_760_000_000_000 + Math.floor(random() * 86_400_000);
  let now = birth;
  const store = sqliteStore(':memory:', 'wasm');
  let crashes = 0;
  const world = new World(
    random,
    () => now,
    async (id) => (await store.run(id))?.stopWish ?? null,
  );
  const schedules = SCHEDULES;
  let fuse = Infinity;
  const newId = numberedIds();
  const ports = (): Supervisor => {
    world.loseChildren();
    const guarded = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get: (target, name) => {
          const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
          // It is not awaited.
          if (name === 'forget') return method.bind(target);
          return async (...args: unknown[]) => {
            const isBefore = random() < 0.5;
            if (--fuse <= 0 && isBefore) throw new Crash();
            const result = await method.apply(target, args);
            if (fuse <= 0) throw new Crash();
            return result;
          };
        },
      });
    const processes = plant.processes?.(world) ?? world;
    const used = plant.store?.(store) ?? store;
    return new Supervisor({ store: guarded(used), processes: guarded(processes), now: () => now, newId, ...RULES });
  };
  let server = ports();
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      crashes++;
      fuse = Infinity;
      server = ports();
    }
  };
  await server.sync([{ name: 'Flow', schedules }], true);
  for (let step = 0; step < 70; step++) {
    const luck = random();
    now += luck < 0.7 ? random() * 20_000 : luck < 0.95 ? random() * 4 * MINUTE : random() * 90 * MINUTE;
    now = Math.floor(now);
    if (random() < 0.3) fuse = 1 + Math.floor(random() * 25);
    const name = Object.keys(schedules)[Math.floor(random() * 3)] as string;
    const what = random();
    if (what < 0.04) {
      await act(() => server.pause(`Flow/${name}`, random() < 0.5 ? null : { by: 'x', at: now, note: '' }));
    } else if (what < 0.08) {
      const active = await store.runs({ states: ['queued', 'starting', 'running'], limit: 9 });
      if (active[0] !== undefined)
        await act(() => server.stop((active[0] as StoredRun).id, random() < 0.5 ? 'cancel' : 'drain'));
    }
    if (what > 0.97) {
      const from = now - Math.floor(random() * 20 * MINUTE) - 2 * MINUTE;
      const [schedule] = (await store.schedules()).filter(({ id }) => id === 'Flow/skip');
      const ticks = random() < 0.5 ? 'missing' : 'all';
      const request = {
        ticks,
        from,
        to: now,
        overlaps: random() < 0.3,
        askedBy: 'x',
        requestKey: String(step % 7),
      } as const;
      if (schedule !== undefined) await act(() => server.backfill(schedule, request));
    }
    await act(() => server.pass());
    // Bugs that start something twice show between passes.
    world.check((await store.runs({ limit: 10_000 })).filter(isAtWork));
    if (step % 20 === 0) await turn();
  }
  fuse = Infinity;
  const all = Object.keys(schedules).map((name) => `Flow/${name}`);
  for (const id of all) await server.pause(id, { by: 'x', at: now, note: 'the end' });
  for (
    let step = 0;
    step < 2000 && (await store.runs({ states: ['queued', 'starting', 'running'], limit: 1 })).length > 0;
    step++
  ) {
    now += MINUTE;
    await server.pass();
  }
  return { ...(await checkLaws(store, world, birth)), crashes };
}

/** Checks the laws that hold in the end, and closes the store. */
export async function checkLaws(
  store: ServerStore,
  world: World,
  birth: number,
): Promise<{ runs: number; ticks: number }> {
  const runs = await store.runs({ limit: 100_000 });
  const open = runs.filter(({ state }) => ['queued', 'starting', 'running'].includes(state));
  expectLaw(open.length === 0, `${open.length} runs never end: ${JSON.stringify(open[0])}`);
  let ticks = 0;
  const ended = runs.filter(
    ({ workflow, origin, state }) => workflow === 'Flow' && origin !== 'backfill' && firesAfter(state, 'ended'),
  );
  const started = runs.filter(({ workflow }) => workflow === 'Next').map(({ subject }) => subject);
  const isOneEach = new Set(started).size === started.length && ended.every(({ id }) => started.includes(id));
  expectLaw(isOneEach && started.length === ended.length, `${ended.length} ends started ${started.length} runs`);
  for (const { id, count, from, to } of await store.backfills(100_000)) {
    const own = runs.filter(({ backfill }) => backfill === id);
    expectLaw(own.length === count, `backfill ${id} has ${own.length} of ${count} runs`);
    const covered = own.every(({ scheduledFor }) => (scheduledFor ?? 0) > from && (scheduledFor ?? 0) <= to);
    expectLaw(covered, `backfill ${id} has a run for a tick outside of its range`);
  }
  for (const { id, schedule, cursor } of await store.schedules()) {
    const table = timetableOf(schedule);
    const expected: number[] = [];
    for (let tick = table.next(birth); tick !== null && tick <= cursor; tick = table.next(tick)) expected.push(tick);
    ticks += expected.length;
    const own = runs.filter((run) => run.schedule === id);
    const byTick = new Map(own.map((run) => [run.scheduledFor as number, run]));
    expectLaw(byTick.size === own.length, `${id} has two runs for a tick`);
    const decisions = await store.decisions(id, { limit: 100_000 });
    const decided = decisions.reduce((sum, { count }) => sum + (count ?? 0), 0);
    const isCounted = decisions.every(({ count }) => count !== null);
    expectLaw(!isCounted || decided === expected.length, `${id}: ${decided} of ${expected.length} ticks are decided`);
    for (const run of own) {
      expectLaw(expected.includes(run.scheduledFor as number), `${id}: a run for no tick`);
      expectLaw(run.queuedAt >= (run.scheduledFor as number), `${id}: a run before its tick`);
      expectLaw(
        decisions.some(({ runId }) => runId === run.id),
        `${id}: a run without a decision`,
      );
      expectLaw(run.state !== 'completed' || world.hasCompleted(run.id), `${run.id} completed without a process`);
    }
    const chain = own.sort((a, b) => (a.scheduledFor as number) - (b.scheduledFor as number));
    chain.forEach((run, index) => {
      const from = index === 0 ? birth : (chain[index - 1] as StoredRun).scheduledFor;
      expectLaw(
        run.coversFrom === from && run.coversTo === run.scheduledFor,
        `${id}: covers ${String(run.coversFrom)}`,
      );
    });
  }
  await store.close();
  return { runs: runs.length, ticks };
}

/** The processes of runs. They go on whatever the server does. */
export class World implements RunProcesses {
  private readonly random: () => number;
  private readonly now: () => number;
  private readonly processes = new Map<string, Process[]>();
  private readonly stopped = new Map<string, 'drained' | 'cancelled'>();
  private readonly wishOf: (runId: string) => Promise<StopWish | null>;
  private children = new Set<string>();

  constructor(random: () => number, now: () => number, wishOf: (runId: string) => Promise<StopWish | null>) {
    this.random = random;
    this.now = now;
    this.wishOf = wishOf;
  }

  loseChildren(): void {
    this.children = new Set();
  }

  async look(runId: string): Promise<Sight> {
    const all = this.processes.get(runId) ?? [];
    const last = all.at(-1);
    const facts = { incarnation: all.length, settled: all.length, deadLetters: 0 };
    if (last === undefined) return { state: 'none', ...facts, settled: 0, hasChild: false };
    const isWorking = this.now() < last.endsAt;
    const hasChild = isWorking && this.children.has(runId);
    if (isWorking) return { state: 'working', ...facts, hasChild };
    if (last.dies && !this.stopped.has(runId)) return { state: 'dead', ...facts, hasChild };
    return { state: 'ended', outcome: this.stopped.get(runId) ?? 'completed', ...facts, hasChild };
  }

  async start(run: StoredRun, incarnation: number): Promise<void> {
    const all = this.processes.get(run.id) ?? [];
    expectLaw(
      incarnation === all.length + 1,
      `${run.id} has begun ${all.length} times, and ${incarnation} is asked for`,
    );
    // The lease of the run refuses a second process.
    expectLaw(!this.isWorking(run.id), `a second process for ${run.id} is asked for`);
    expectLaw((run.notBefore ?? 0) <= this.now(), `${run.id} starts before its time`);
    const length = this.random() < 0.3 ? this.random() * 10 * MINUTE : this.random() * 30_000;
    const begunAt = this.now();
    all.push({ begunAt, endsAt: begunAt + length, dies: this.random() < 0.2 });
    this.processes.set(run.id, all);
    this.children.add(run.id);
  }

  async stop(runId: string, wish: StopWish | 'kill'): Promise<boolean> {
    if (!this.isWorking(runId)) return false;
    // A second signal aborts a run that drains.
    const isAgain = this.stopped.has(runId) && (await this.wishOf(runId)) === 'drain';
    expectLaw(!isAgain, `${runId} is signalled again while it drains`);
    const all = this.processes.get(runId) as Process[];
    const lasts = wish === 'drain' ? this.random() * GRACE_MS : 1;
    all.push({ ...(all.pop() as Process), endsAt: this.now() + lasts, dies: false });
    this.stopped.set(runId, wish === 'drain' ? 'drained' : 'cancelled');
    return true;
  }

  forget(runId: string): void {
    this.children.delete(runId);
  }

  hasCompleted(runId: string): boolean {
    return this.processes.get(runId)?.at(-1)?.dies === false;
  }

  /** The laws that hold at each moment. @param most the most runs at work. */
  check(atWork: readonly StoredRun[], most = MAX_RUNS): void {
    expectLaw(atWork.length <= most, `${atWork.length} runs are at work`);
    const busy = atWork
      .filter(({ id, isExclusive }) => isExclusive && this.isWorking(id))
      .map(({ schedule, backfill }) => backfill ?? schedule);
    expectLaw(new Set(busy).size === busy.length, `two runs of ${String(busy[0])} are at work`);
    const known = new Set(atWork.map(({ id }) => id));
    for (const id of this.processes.keys()) {
      expectLaw(
        known.has(id) || !this.isWorking(id) || this.stopped.has(id),
        `${id} works, and the server does not know it`,
      );
    }
  }

  private isWorking(runId: string): boolean {
    return this.now() < (this.processes.get(runId)?.at(-1)?.endsAt ?? 0);
  }
}

class BrokenServerLaw extends Error {}

export function expectLaw(holds: boolean, otherwise: string): void {
  if (!holds) throw new BrokenServerLaw(otherwise);
}

/** Ids in the order of their runs: with random ones, the same seed would not do the same twice. */
export function numberedIds(): () => string {
  let made = 0;
  return () => `run-${String(++made).padStart(6, '0')}`;
}
