/**
 * Runs one seed: a random workflow, resumed incarnation after incarnation until it is done, and everything about it
 * looked at.
 */
import { randomGraph, type GraphLimits } from '../support/random-graph.js';
import { liveThrough } from './incarnations.js';
import { isOrderedSink, simulatedMaterials } from './materials.js';
import { Upstream } from './upstream.js';
import { judge } from './verdict.js';
import { Violation, World } from './world.js';

export interface Simulated {
  readonly seed: number;
  readonly incarnations: number;
  readonly checkpoints: number;
  /** How often each fault was met. */
  readonly faults: ReadonlyMap<string, number>;
  /** What was broken; undefined where everything held. */
  readonly failure: string | undefined;
}

const LIMITS: GraphLimits = {
  sizes: [0, 1, 2, 3, 8, 20, 40],
  windows: [1, 2, 3, 5, 8, 16, 32],
  steps: 7,
  records: 150,
  mayFail: false,
  // Aligned joins, expansions, aggregates, keyed joins, operators, sinks, branches, failed outputs and merges.
  moreOf: [7, 10, 14, 14, 15, 15, 17, 17, 19, 19, 19, 20, 22, 22, 23],
  depth: 0.5,
  rejects: true,
  keepsAll: true,
};
export function simulate(seed: number): Promise<Simulated> {
  return simulateIn(new World(seed), async (world) => {
    const graph = randomGraph(seed, LIMITS);
    const { checkpoints } = await liveThrough(world, {
      window: graph.window,
      upstream: new Upstream(world),
      sinks: new Map(graph.nodes.filter(({ isSink }) => isSink).map(({ name, root }) => [name, root])),
      declare: (surroundings) => graph.declare(simulatedMaterials(surroundings)),
      judge: (disk, events) => {
        judge(graph, disk, events, (name) => isOrderedSink(seed, name));
      },
    });
    return checkpoints;
  });
}

/** @param live resolves with the number of checkpoints once the run is complete, or throws. */
export async function simulateIn(world: World, live: (world: World) => Promise<number>): Promise<Simulated> {
  let failure: string | undefined;
  let checkpoints = 0;
  try {
    checkpoints = await live(world);
  } catch (error) {
    const isViolation = error instanceof Violation;
    failure = error instanceof Error && !isViolation ? (error.stack ?? error.message) : String(error);
  }
  // The first law that was broken explains the rest.
  failure = world.violation?.message ?? failure;
  for (const incarnation of world.incarnations) incarnation.die();
  return { seed: world.seed, incarnations: world.incarnations.length, checkpoints, faults: world.faults, failure };
}
