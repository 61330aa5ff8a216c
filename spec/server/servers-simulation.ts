/**
 * Several servers on one store in virtual time, with crashes and pauses at their awaits: the store is the real one (in
 * SQLite), the processes of runs are simulated. A paused server goes on later, with what it knew before: perhaps after
 * its lease has run out, and other servers have taken over its runs.
 *
 * `simulateServers` throws where a law is broken: the laws of one server (see `simulation`), and: ticks are decided by
 * one server after another, never again by one whose successor has decided; no run at work belongs to a server that was
 * removed.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { seededRandom } from 'millrace';
import { codeOf } from '#lib/model/errors.js';
import type { Sight } from '#lib/server/runs/follow.js';
import type { RunProcesses } from '#lib/server/runs/run-processes.js';
import { ACTIVE_STATES, isAtWork, type StopWish, type StoredRun } from '#lib/server/runs/stored-run.js';
import { Member } from '#lib/server/servers/member.js';
import type { Membership } from '#lib/server/servers/membership.js';
import type { ServerStore } from '#lib/server/store/server-store.js';
import type { SqlDatabase } from '#lib/server/store/sql-database.js';
import { SqlStore } from '#lib/server/store/sql-store.js';
import { sqliteDatabase } from '#lib/server/store/sqlite-store.js';
import { Supervisor } from '#lib/server/supervisor.js';
import {
  checkLaws,
  Crash,
  expectLaw,
  MINUTE,
  numberedIds,
  RULES,
  SCHEDULES,
  World,
  type Figures,
} from './simulation.js';

/** Rounds at the end, in steps of a minute, after which no server is removed any more. */
const JOINED_AFTER = 10;
const LEASE_MS = 2 * MINUTE;
/** The hosts of the servers: the first two could signal each other's processes. */
const HOSTS = ['a', 'a', 'b'];

export interface SeveralFigures extends Figures {
  readonly pauses: number;
  /** How often a server has lost its lease and joined again. */
  readonly losses: number;
}

/** A hole for one bug at a time. */
export interface SeveralPlant {
  /** Wraps the database under the store of each server. */
  readonly database?: (database: SqlDatabase) => SqlDatabase;
  /** Wraps the store of each server. */
  readonly store?: (store: ServerStore, member: () => Membership) => ServerStore;
  /** Wraps the membership that each supervisor sees. */
  readonly membership?: (membership: Membership) => Membership;
}

export async function simulateServers(seed: number, plant: SeveralPlant = {}): Promise<SeveralFigures> {
  const simulation = new Simulation(seed, plant);
  await simulation.run();
  return simulation.end();
}

class Simulation {
  private readonly random: () => number;
  private readonly plant: SeveralPlant;
  private readonly database: SqlDatabase;
  private readonly store: ServerStore;
  private readonly world: World;
  private readonly birth: number;
  private now: number;
  private servers: SimulatedServer[];
  private readonly hostOf = new Map<string, string>();
  private readonly newId = numberedIds();
  private lastDecider = 0;
  private crashes = 0;
  private pauses = 0;
  private losses = 0;

  constructor(seed: number, plant: SeveralPlant) {
    this.random = seededRandom(seed);
    this.plant = plant;
    this.birth = 1_760_000_000_000 + Math.floor(this.random() * 86_400_000);
    this.now = this.birth;
    this.database = sqliteDatabase(':memory:', 'wasm', () => this.now);
    this.store = new SqlStore(this.database);
    const wishOf = async (id: string): Promise<StopWish | null> => (await this.store.run(id))?.stopWish ?? null;
    this.world = new World(this.random, () => this.now, wishOf);
    this.servers = HOSTS.map((host) => this.newServer(host));
  }

  async run(): Promise<void> {
    const { random } = this;
    for (const server of this.servers) await this.act(server, () => server.live());
    for (let step = 0; step < 120; step++) {
      this.now = Math.floor(this.now + (random() < 0.95 ? random() * 20_000 : random() * MINUTE));
      for (const server of [...this.servers].sort(() => random() - 0.5)) {
        if (server.isPaused) {
          if (--server.pausedFor <= 0) await this.act(server, () => server.goOn());
          continue;
        }
        if (random() < 0.06) server.crashIn = 1 + Math.floor(random() * 25);
        if (random() < 0.15) {
          server.pauseIn = 1 + Math.floor(random() * 25);
          server.pausesAtClaim = random() < 0.3;
          server.pausedFor = random() < 0.5 ? 1 + random() * 3 : 10 + random() * 30;
        }
        await this.act(server, () => server.live());
        if (random() < 0.05) await this.actOfUser(server);
        await this.check();
      }
      if (step % 20 === 0) await turn();
    }
  }

  async end(): Promise<SeveralFigures> {
    for (const server of this.servers) {
      server.crashIn = Infinity;
      server.pauseIn = Infinity;
      server.pausesAtClaim = false;
    }
    for (const server of this.servers) while (server.isPaused) await this.act(server, () => server.goOn());
    const isOver = async (): Promise<boolean> =>
      (await this.store.runs({ states: ACTIVE_STATES, limit: 1 })).length === 0;
    const pauseAll = { by: 'x', at: this.now, note: 'the end' };
    for (let step = 0; step < 2000 && !(step > JOINED_AFTER && (await isOver())); step++) {
      this.now += MINUTE;
      for (const server of this.servers) await this.act(server, () => server.live());
      // After the first rounds all servers have joined.
      if (step !== JOINED_AFTER) continue;
      const [server] = this.servers;
      for (const name of Object.keys(SCHEDULES)) await server?.supervisor.pause(`Flow/${name}`, pauseAll);
    }
    const { crashes, pauses, losses } = this;
    return { ...(await checkLaws(this.store, this.world, this.birth)), crashes, pauses, losses };
  }

  /** The laws that hold at each moment. */
  private async check(): Promise<void> {
    const atWork = (await this.store.runs({ limit: 10_000 })).filter(isAtWork);
    this.world.check(atWork, HOSTS.length * RULES.maxRuns);
    const { servers } = await this.store.renew();
    const numbers = new Set(servers.map(({ number }) => number));
    for (const { id, owner } of atWork) {
      const isKnown = owner === null || numbers.has(owner);
      expectLaw(isKnown, `${id} belongs to server ${String(owner)}, which was removed`);
    }
  }

  private newServer(host: string): SimulatedServer {
    return new SimulatedServer(host, this.database, this.world, this.plant, {
      random: this.random,
      now: () => this.now,
      hostOf: this.hostOf,
      newId: this.newId,
      onPause: () => {
        this.pauses++;
      },
      onLoss: () => {
        this.losses++;
      },
      onDecided: (number) => {
        expectLaw(number >= this.lastDecider, `server ${number} decides after server ${this.lastDecider}`);
        this.lastDecider = number;
      },
    });
  }

  /** Does some work of a server until it is over, or the server is paused. A server that has crashed is replaced. */
  private async act(server: SimulatedServer, work: () => Promise<void>): Promise<void> {
    try {
      await server.untilPaused(work);
    } catch (error) {
      // A server that was removed joins again.
      if (codeOf(error) === 'MILLRACE_LOCKED') return;
      if (!(error instanceof Crash)) throw error;
      this.crashes++;
      this.servers = this.servers.map((one) => (one === server ? this.newServer(server.host) : one));
    }
  }

  private async actOfUser(server: SimulatedServer): Promise<void> {
    if (server.isPaused) return;
    const { random } = this;
    const { supervisor } = server;
    const name = Object.keys(SCHEDULES)[Math.floor(random() * 3)] as string;
    if (random() < 0.5) {
      const pause = random() < 0.6 ? null : { by: 'x', at: this.now, note: '' };
      await this.act(server, async () => {
        await supervisor.pause(`Flow/${name}`, pause);
      });
      return;
    }
    const [run] = await this.store.runs({ states: ACTIVE_STATES, limit: 9 });
    const wish = random() < 0.5 ? 'cancel' : 'drain';
    if (run !== undefined)
      await this.act(server, async () => {
        await supervisor.stop(run.id, wish);
      });
  }
}

interface Surroundings {
  readonly random: () => number;
  readonly now: () => number;
  readonly hostOf: Map<string, string>;
  readonly newId: () => string;
  readonly onPause: () => void;
  readonly onLoss: () => void;
  readonly onDecided: (number: number) => void;
}

class SimulatedServer {
  readonly host: string;
  readonly supervisor: Supervisor;
  /** The number of further calls before it crashes, or is paused. */
  crashIn = Infinity;
  pauseIn = Infinity;
  /** Whether its next pause is just before or after it claims runs: after that it starts their processes. */
  pausesAtClaim = false;
  /** The number of steps that its next pause takes. */
  pausedFor = 0;
  private readonly member: Member;
  private readonly around: Surroundings;
  private resume: (() => void) | undefined;
  private pausing: (() => void) | undefined;
  private pending: Promise<void> = Promise.resolve();
  private isInPass = false;
  private hasSynced = false;

  constructor(host: string, database: SqlDatabase, world: World, plant: SeveralPlant, around: Surroundings) {
    this.host = host;
    this.around = around;
    const own = new SqlStore(plant.database?.(database) ?? database);
    const store = this.guarded(plant.store?.(own, () => this.member) ?? own);
    const server = {
      ...{ host, url: '', pools: {}, maxRuns: RULES.maxRuns, startedAt: around.now(), leaseMs: LEASE_MS },
      process: { pid: 1, host, processStart: null },
    };
    this.member = new Member({
      store,
      server: () => server,
      clock: around.now,
      isDead: () => Promise.resolve(false),
    });
    const membership = plant.membership?.(this.member) ?? this.member;
    const processes = this.guarded(new OwnProcesses(host, world, around.hostOf));
    this.supervisor = new Supervisor({ ...RULES, store, processes, membership, now: around.now, newId: around.newId });
  }

  get isPaused(): boolean {
    return this.resume !== undefined;
  }

  /** A step of its life, as in the server itself. */
  async live(): Promise<void> {
    const { member, supervisor } = this;
    if (!member.hasJoined) {
      await supervisor.between(() => member.join());
      this.hasSynced = false;
    } else {
      await member.renew().catch((error: unknown) => {
        if (codeOf(error) === 'MILLRACE_LOCKED') this.around.onLoss();
        throw error;
      });
    }
    if (supervisor.isLeader() && !this.hasSynced) {
      await supervisor.sync([{ name: 'Flow', schedules: SCHEDULES }], true);
      this.hasSynced = true;
    }
    this.isInPass = true;
    try {
      await supervisor.pass();
    } finally {
      this.isInPass = false;
    }
  }

  /** Resolves when the work is over, or when the server is paused in the middle of it. */
  async untilPaused(work: () => Promise<void>): Promise<void> {
    const paused = new Promise<void>((resolve) => {
      this.pausing = resolve;
    });
    const pending = work();
    this.pending = pending;
    pending.catch(() => undefined);
    await Promise.race([pending, paused]);
  }

  /** Goes on after a pause, with the rest of its work. */
  goOn(): Promise<void> {
    const { pending, resume } = this;
    this.resume = undefined;
    resume?.();
    return pending;
  }

  private guarded<Port extends object>(port: Port): Port {
    const { around } = this;
    return new Proxy(port, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        // It is not awaited.
        if (name === 'forget') return method.bind(target);
        return async (...args: unknown[]) => {
          const isBefore = around.random() < 0.5;
          if (--this.crashIn <= 0 && isBefore) throw new Crash();
          // Between the check of the lease and the start of a process there is no await.
          const mayPause = name !== 'start' && name !== 'stop';
          const isPause = this.pausesAtClaim ? name === 'claimRuns' : --this.pauseIn <= 0;
          if (isPause && isBefore && mayPause) await this.pause();
          const result: unknown = await method.apply(target, args);
          if (name === 'commitPass' && this.isInPass && result === true) this.decided();
          if (isPause && !isBefore) await this.pause();
          if (this.crashIn <= 0) throw new Crash();
          return result;
        };
      },
    });
  }

  private decided(): void {
    if (this.member.number !== null) this.around.onDecided(this.member.number);
  }

  private async pause(): Promise<void> {
    this.pauseIn = Infinity;
    this.pausesAtClaim = false;
    this.around.onPause();
    await new Promise<void>((resolve) => {
      this.resume = resolve;
      this.pausing?.();
    });
  }
}

/** The processes as a server of one host sees them. */
class OwnProcesses implements RunProcesses {
  private readonly host: string;
  private readonly world: World;
  private readonly hostOf: Map<string, string>;
  private readonly children = new Set<string>();

  constructor(host: string, world: World, hostOf: Map<string, string>) {
    this.host = host;
    this.world = world;
    this.hostOf = hostOf;
  }

  async look(runId: string): Promise<Sight> {
    const sight = await this.world.look(runId);
    const host = this.hostOf.get(runId);
    const isElsewhere = sight.state === 'working' && host !== this.host;
    const hasChild = sight.state === 'working' && this.children.has(runId);
    return { ...sight, hasChild, elsewhere: isElsewhere ? host : undefined };
  }

  async start(run: StoredRun, incarnation: number): Promise<void> {
    await this.world.start(run, incarnation);
    this.hostOf.set(run.id, this.host);
    this.children.add(run.id);
  }

  stop(runId: string, wish: StopWish | 'kill'): Promise<boolean> {
    return this.hostOf.get(runId) === this.host ? this.world.stop(runId, wish) : Promise.resolve(false);
  }

  forget(runId: string): void {
    this.children.delete(runId);
  }
}
