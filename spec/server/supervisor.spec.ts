/** The laws of the server, in virtual time. `SERVER_SEEDS=1000` runs more seeds. */
import { describe, expect, it } from '@jest/globals';
import { simulate, type Plant } from './simulation.js';

const SEEDS = Number(process.env['SERVER_SEEDS'] ?? 4);
const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);

/** The first law that one of the seeds finds broken; '' if none does. */
async function brokenBy(plant: Plant): Promise<string> {
  for (const seed of seeds) {
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
            putSchedules: store.putSchedules.bind(store),
            commitPass: (pass) => store.commitPass({ ...pass, cursor: pass.cursorBefore }),
          }),
      },
    ],
    [
      'loses the runs of a pass',
      { store: (store) => wrapped(store, { commitPass: (pass) => store.commitPass({ ...pass, runs: [] }) }) },
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
