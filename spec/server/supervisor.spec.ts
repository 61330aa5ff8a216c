/** The laws of the server, in virtual time. `SERVER_SEEDS=1000` runs more seeds. */
import { describe, expect, it } from '@jest/globals';
import type { RunProcesses } from '#lib/server/runs/run-processes.js';
import { ONLY_SERVER } from '#lib/server/servers/membership.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';
import { Supervisor } from '#lib/server/supervisor.js';
import { aRun } from '../contracts/server-store.contract.js';
import { simulate, type Plant } from './simulation.js';

/** No limits, and no target for alerts. */
const SERVING = {
  pools: new Map<string, number>(),
  rulesOf: () => undefined,
  triggers: () => [],
  isReady: () => true,
  sendsAlerts: false,
  membership: ONLY_SERVER,
} as const;
const SEEDS = Number(process.env['SERVER_SEEDS'] ?? 4);
/** Each planted bug must be found within these. */
const MOST_SEEDS = 100;
const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);

/** The first law that one of the seeds finds broken; '' if none does. */
async function brokenBy(plant: Plant): Promise<string> {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    try {
      await simulate(seed, plant);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return '';
}

describe('the supervisor', () => {
  it('keeps the laws of ticks and runs, with crashes at its awaits', async () => {
    let [runs, crashes] = [0, 0];
    for (const seed of seeds) {
      try {
        const figures = await simulate(seed);
        runs += figures.runs;
        crashes += figures.crashes;
      } catch (error) {
        throw new Error(`Seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    expect(runs).toBeGreaterThan(seeds.length);
    expect(crashes).toBeGreaterThan(seeds.length);
  }, 60_000);

  it.each<[string, Plant]>([
    [
      'forgets to move the cursor',
      {
        store: (store) =>
          wrapped(store, {
            commitPass: (pass) => store.commitPass({ ...pass, cursor: pass.cursorBefore }),
          }),
      },
    ],
    [
      'loses the runs of a pass',
      { store: (store) => wrapped(store, { commitPass: (pass) => store.commitPass({ ...pass, runs: [] }) }) },
    ],
    [
      'forgets the runs that start after others',
      {
        store: (store) =>
          wrapped(store, {
            changeRun: (id, states, change, along) => store.changeRun(id, states, change, { ...along, runsAfter: [] }),
          }),
      },
    ],
    [
      'does not see that a process works',
      {
        processes: (world) =>
          wrapped(world, { look: async (id) => ({ ...(await world.look(id)), state: 'dead', hasChild: false }) }),
      },
    ],
    [
      'moves the cursor without its decisions',
      { store: (store) => wrapped(store, { commitPass: (pass) => store.commitPass({ ...pass, noRuns: [] }) }) },
    ],
  ])('is found out if it %s', async (_, plant) => {
    expect(await brokenBy(plant)).not.toBe('');
  });
});

describe('a run that drains', () => {
  it('is signalled once, whichever server follows it, and again only long after its grace', async () => {
    const store = sqliteStore(':memory:', 'wasm');
    const signals: string[] = [];
    let now = 1_000_000;
    let isReachable = false;
    const processes: RunProcesses = {
      look: () => Promise.resolve({ state: 'working', incarnation: 1, settled: 0, deadLetters: 0, hasChild: false }),
      start: () => Promise.resolve(),
      stop: (_, wish) => {
        if (isReachable) signals.push(wish);
        return Promise.resolve(isReachable);
      },
      forget: () => undefined,
    };
    const server = (): Supervisor => new Supervisor({ store, processes, now: () => now, maxRuns: 1, ...SERVING });
    await store.addRun(aRun('r', { state: 'running', origin: 'schedule' }));
    // Its process has not begun yet.
    expect(await server().stop('r', 'drain')).toBe(true);
    isReachable = true;
    for (let incarnation = 0; incarnation < 3; incarnation++) {
      const one = server();
      await one.pass();
      await one.pass();
      now += 2_000;
    }
    expect(signals).toEqual(['drain']);
    await server().stop('r', 'cancel');
    await server().pass();
    expect(signals).toEqual(['drain', 'cancel']);
    // It should have ended long ago.
    now += 60_000;
    await server().pass();
    expect(signals).toEqual(['drain', 'cancel', 'kill']);
    await store.close();
  });

  it('that was started by the command line is not signalled again, because its grace may be long', async () => {
    const store = sqliteStore(':memory:', 'wasm');
    let signals = 0;
    const processes = {
      look: () => Promise.resolve({ state: 'working', incarnation: 1, settled: 0, deadLetters: 0, hasChild: false }),
      stop: () => Promise.resolve(++signals > 0),
    } as unknown as RunProcesses;
    let now = 1_000_000;
    const server = (): Supervisor => new Supervisor({ store, processes, now: () => now, maxRuns: 1, ...SERVING });
    await store.addRun(aRun('r', { state: 'running', origin: 'command line' }));
    await server().stop('r', 'drain');
    now += 3_600_000;
    await server().pass();
    expect(signals).toBe(1);
    await store.close();
  });
});

function wrapped<Port extends object>(port: Port, over: Partial<Port>): Port {
  return new Proxy(port, {
    get: (target, name) => {
      const own = Reflect.get(over, name) as unknown;
      if (own !== undefined) return own;
      const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return method.bind(target);
    },
  });
}

it('no run starts while there is an obstacle, which each waiting run names', async () => {
  const store = sqliteStore(':memory:', 'wasm');
  const started: string[] = [];
  let obstacle = 'The disk is full';
  const processes: RunProcesses = {
    look: () => Promise.resolve({ state: 'none', incarnation: 0, settled: 0, deadLetters: 0, hasChild: false }),
    start: async ({ id }) => void started.push(id),
    stop: () => Promise.resolve(false),
    forget: () => undefined,
  };
  const ports = { store, processes, now: () => 1, maxRuns: 1, ...SERVING };
  const server = new Supervisor({ ...ports, obstacle: () => obstacle });
  await store.addRun(aRun('r', { state: 'queued' }));
  await server.pass();
  expect([started, server.whyWaiting('r')]).toEqual([[], 'The disk is full']);
  obstacle = '';
  await server.pass();
  expect(started).toEqual(['r']);
  await store.close();
});

it('a replay that is cancelled before it begins leaves its run completed', async () => {
  const store = sqliteStore(':memory:', 'wasm');
  const ports = { store, processes: {} as RunProcesses, now: () => 1, maxRuns: 1, ...SERVING };
  const server = new Supervisor(ports);
  await store.addRun(aRun('r', { state: 'completed', deadLetters: 2 }));
  await store.addRun(aRun('s', { state: 'failed' }));
  expect([await server.replay('r'), await server.replay('s')]).toEqual([true, false]);
  expect(await store.run('r')).toMatchObject({ state: 'queued', isReplay: true });
  await server.stop('r', 'cancel');
  expect(await store.run('r')).toMatchObject({ state: 'completed', isReplay: false, deadLetters: 2 });
  await server.resume('s');
  await server.stop('s', 'cancel');
  expect((await store.run('s'))?.state).toBe('cancelled');
  await store.close();
});
