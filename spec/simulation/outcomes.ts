/**
 * Runs one seed of a world in which calls and generators end differently in each incarnation: a task that failed on a
 * record may not fail on it again, and a parent may have other children. Judged is what the last incarnation left.
 */
import { liveThrough } from './incarnations.js';
import { outcomesGraph } from './outcomes-graph.js';
import { Iterations } from './outcomes-iterations.js';
import { Starts } from './outcomes-starts.js';
import { OutcomesTasks } from './outcomes-tasks.js';
import { judgeOutcomes } from './outcomes-verdict.js';
import { simulateIn, type Simulated } from './simulate.js';
import { Upstream } from './upstream.js';
import { Violation, World } from './world.js';

/** The same, with graphs that may contain iterations, and sub-workflows that run once per record. */
export function simulateExtended(seed: number): Promise<Simulated> {
  return simulateOutcomes(seed, true);
}

export function simulateOutcomes(seed: number, isExtended = false): Promise<Simulated> {
  return simulateIn(new World(seed), async (world) => {
    const graph = outcomesGraph(seed, isExtended);
    const starts = new Starts(world, graph.window);
    const iterations = new Iterations(world);
    let replays = 0;
    const { checkpoints } = await liveThrough(world, {
      window: graph.window,
      upstream: new Upstream(world, false),
      sinks: new Map(graph.nodes.filter(({ kind }) => kind === 'sink').map(({ name, root }) => [name, root])),
      declare: (surroundings) => new OutcomesTasks(graph, surroundings, starts, iterations).declare(),
      judge: (disk, events, wasReplayed) => {
        judgeOutcomes(graph, disk, { incarnations: world.incarnations.length, wasReplayed });
        const stall = events.find(({ type }) => type === 'stall');
        if (stall !== undefined) throw new Violation(`L11: the run stalled: ${JSON.stringify(stall)}`);
      },
      onIncarnation: (incarnation, isAnew) => {
        starts.begin(incarnation, isAnew);
        iterations.begin(incarnation, isAnew);
      },
      onMark: (incarnation) => {
        starts.mark(incarnation);
        iterations.mark(incarnation);
      },
      onTaken: (incarnation) => {
        starts.taken(incarnation);
        iterations.taken(incarnation);
      },
      isReplayed: () => replays++ < 1 && world.chance(0.4),
    });
    for (let n = 0; n < starts.repeated; n++) world.count('start repeated');
    return checkpoints;
  });
}
