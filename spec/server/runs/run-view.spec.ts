/** The view of a run: the rates of its edges. */
import { expect, it } from '@jest/globals';
import type { RunEvent } from '#lib/index.js';
import { RunViewBuilder } from '#lib/server/runs/run-view.js';

const started = {
  ...{ type: 'run-started', at: 0, runId: 'r', workflow: 'Flow', description: '', config: {}, window: 10 },
  graph: [
    { name: 'One', kind: 'source', dependencies: [], inputRoot: 'One', outputRoot: 'One' },
    { name: 'Two', kind: 'sync', dependencies: ['One'], inputRoot: 'One', outputRoot: 'One' },
  ],
};

function measured(elapsedMs: number, records: number): RunEvent {
  const edges = [{ from: 'One', to: 'Two', records, waiting: 0 }];
  return { type: 'progress', at: elapsedMs, elapsedMs, tasks: {}, roots: {}, edges } as unknown as RunEvent;
}

it('has the records per second of an edge, also if two measurements follow each other at once', () => {
  const builder = new RunViewBuilder();
  const rates = [];
  for (const event of [
    started as unknown as RunEvent,
    ...[measured(1000, 10), measured(2000, 30), measured(2010, 30), measured(3010, 60)],
  ]) {
    builder.record(event);
    rates.push(Math.round(builder.build()?.edges[0]?.perSecond ?? NaN));
  }
  expect(rates).toEqual([0, 0, 20, 20, 30]);
});

it('has the records per second of an edge, also if all measurements follow each other closely', () => {
  const builder = new RunViewBuilder();
  builder.record(started as unknown as RunEvent);
  for (let n = 0; n <= 30; n++) builder.record(measured(n * 100, n * 10));
  expect(builder.build()?.edges[0]?.perSecond).toBe(100);
});

it('has the records per second of a task over the same time as those of its edges', () => {
  const builder = new RunViewBuilder();
  builder.record(started as unknown as RunEvent);
  // The first records come at once.
  const counts = [2048, 2058, 2068];
  counts.forEach((out, second) => {
    const task = {
      ...{
        in: out,
        out,
        skipped: 0,
        deadLettered: 0,
        inFlight: 0,
        held: { queued: 0 },
        latencyMs: { service: { count: 0 } },
      },
      ...{ perSecond: { now: 99_999, average: 1 }, shares: { busy: 0, waiting: 0, blocked: 0 } },
    };
    const event = measured(second * 1000 + 1000, out) as unknown as { tasks: object };
    builder.record({ ...event, tasks: { One: task, Two: task } } as unknown as RunEvent);
  });
  const view = builder.build();
  expect([view?.tasks[0]?.perSecond, view?.edges[0]?.perSecond]).toEqual([10, 10]);
});

it('has the places that an edge passes between the boxes of other tasks', () => {
  const builder = new RunViewBuilder();
  const graph = [...started.graph, { ...started.graph[1], name: 'Three', dependencies: ['One', 'Two'] }];
  builder.record({ ...started, graph } as unknown as RunEvent);
  const { tasks = [], edges = [] } = builder.build() ?? {};
  const ways = Object.fromEntries(edges.map(({ from, to, way }) => [`${from} ${to}`, way]));
  const two = tasks.find(({ name }) => name === 'Two');
  expect(ways).toEqual({
    'One Two': [],
    'Two Three': [],
    'One Three': [{ layer: 1, row: expect.any(Number) as unknown }],
  });
  expect(ways['One Three']?.[0]?.row).not.toBe(two?.row);
});
