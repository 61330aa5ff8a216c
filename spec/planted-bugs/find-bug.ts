/** Plants a bug and simulates until it is found. */
import { simulateExtended, simulateOutcomes } from '../simulation/outcomes.js';
import { simulatePhases } from '../simulation/phases.js';
import { simulateWindows } from '../simulation/windows.js';
import { simulate } from '../simulation/simulate.js';
import type { PlantedBug } from './plant.js';

export interface Found {
  readonly seed: number;
  readonly law: string;
}

const WORLDS = {
  outcomes: simulateOutcomes,
  extended: simulateExtended,
  phases: simulatePhases,
  windows: simulateWindows,
};

/** The first of the seeds that finds the bug; undefined where none does. The bug is taken out again in any case. */
export async function findBug(bug: PlantedBug, seeds: number, first = 1): Promise<Found | undefined> {
  const simulateOne = bug.world === undefined ? simulate : WORLDS[bug.world];
  const takeOut = bug.plant();
  try {
    for (let seed = first; seed < first + seeds; seed++) {
      const { failure } = await simulateOne(seed);
      if (failure !== undefined) return { seed, law: failure.split('\n')[0] ?? '' };
    }
    return undefined;
  } finally {
    takeOut();
  }
}
