/** The laws of several servers on one store, in virtual time. `SERVER_SEEDS=1000` runs more seeds. */
import { describe, expect, it } from '@jest/globals';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { isAtWork } from '#lib/server/runs/stored-run.js';
import { simulateServers, type SeveralPlant } from './servers-simulation.js';

const SEEDS = Number(process.env['SERVER_SEEDS'] ?? 6);
/** Each planted bug must be found within these. About one seed of five meets the rarest one. */
const MOST_SEEDS = 100;
const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);

/** The first law that one of the seeds finds broken; '' if none does. */
async function brokenBy(plant: SeveralPlant): Promise<string> {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    try {
      await simulateServers(seed, plant);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return '';
}

function wrapped<Port extends object>(port: Port, over: Partial<Port>): Port {
  return new Proxy(port, {
    get: (target, name) => {
      const own = Reflect.get(over, name) as unknown;
      if (own !== undefined) return own;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

describe('servers that share a store', () => {
  it('keep the laws of ticks and runs, with crashes and pauses at their awaits', async () => {
    const sums = { runs: 0, crashes: 0, pauses: 0, losses: 0 };
    for (const seed of seeds) {
      try {
        const figures = await simulateServers(seed);
        for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += figures[name];
      } catch (error) {
        throw new Error(`Seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
    for (const sum of Object.values(sums)) expect(sum).toBeGreaterThan(seeds.length);
  }, 600_000);

  it('do the same again with the same seed', async () => {
    expect(await simulateServers(1)).toEqual(await simulateServers(1));
  });

  it.each<[string, SeveralPlant]>([
    [
      'does not check its fencing number',
      {
        database: (database) =>
          wrapped(database, {
            transact: (work, options) => database.transact(work, { ...options, server: undefined }),
          }),
      },
    ],
    [
      'claims runs that another server has claimed meanwhile',
      {
        store: (store, member) =>
          wrapped(store, {
            claimRuns: async (states, limit, choose) => {
              const found = await store.runs({ states, limit, oldestFirst: true });
              await Promise.resolve();
              const claimed = [];
              for (const [id, change] of choose(found.map((run) => ({ ...run, state: 'queued' })))) {
                const { number: owner } = member();
                const states = ['queued', 'starting', 'running'] as const;
                if (await store.changeRun(id, states, { ...change, state: 'starting', owner })) {
                  claimed.push(...(await runsOf(store, id)));
                }
              }
              return claimed;
            },
          }),
      },
    ],
    ['decides without being the leader', { membership: (membership) => wrapped(membership, { isLeader: () => true }) }],
    [
      'starts processes after its lease has run out',
      { membership: (membership) => wrapped(membership, { assertHeld: () => undefined }) },
    ],
    [
      'follows the runs of other servers',
      {
        store: (store) =>
          wrapped(store, {
            followedRuns: async (limit) => (await store.runs({ limit, oldestFirst: true })).filter(isAtWork),
          }),
      },
    ],
  ])('are found out if one %s', async (_, plant) => {
    expect(await brokenBy(plant)).not.toBe('');
  });
});

async function runsOf(store: ServerStore, id: string): ReturnType<ServerStore['runs']> {
  const run = await store.run(id);
  return run === undefined ? [] : [run];
}
