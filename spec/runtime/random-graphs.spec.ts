import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Workflow } from 'millrace';
import { randomGraph } from '../support/random-graph.js';

/** Order is not promised between records of different speed, so outputs are compared as bags. */
const bag = (values: Iterable<unknown>): string[] => [...values].map((value) => JSON.stringify(value)).sort();

describe('a random graph', () => {
  it('emits at every task exactly what the reference interpreter says: nothing mispaired, lost or doubled', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const graph = randomGraph(seed);
        const workflow = new Workflow({ name: 'random', tasks: () => graph.declarations });
        const run = workflow.run(undefined, { window: graph.window, seed });
        const seen = new Map(graph.nodes.map(({ name }) => [name, [] as unknown[]]));
        for (const [name, values] of seen) run.output$(name).subscribe((value) => values.push(value));
        const summary = await run.finished;
        for (const { name, outputs } of graph.nodes) {
          expect([name, bag(seen.get(name) ?? [])]).toEqual([name, bag(outputs.values())]);
        }
        expect(summary.skipped).toBe(graph.skipped);
        expect(summary.deadLettered).toBe(graph.deadLettered);
        expect(Object.values(run.counts).map(({ inFlight }) => inFlight)).toEqual(graph.nodes.map(() => 0));
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});
