import { describe, expect, it } from '@jest/globals';
import { page } from '#lib/observe/report/page.js';
import { shownTasks } from '#lib/observe/report/shown-tasks.js';
import type { RunStory } from '#lib/observe/report/run-story.js';

/** A chain of so many tasks, of which one has failures, and the last one is the bottleneck. */
function storyOf(count: number): RunStory {
  const name = (number: number): string => `Task ${number}`;
  const figures = { p50: 0, p95: 0, p99: 0, max: 0, count: 0, sumMs: 0, buckets: [] };
  const tasks = Array.from({ length: count }, (_, number) => [
    name(number),
    {
      ...{ in: 1, out: 1, skipped: 0, deadLettered: 0, inFlight: 0, retried: 0, batches: 1, load: 0 },
      failed: number === count - 5 ? 1 : 0,
      held: { queued: 0, running: 0, waiting: 0 },
      perSecond: { now: 0, average: 0 },
      shares: { busy: 0, waiting: 1, blocked: 0 },
      latencyMs: { queue: figures, service: figures },
    },
  ]);
  return {
    ...{ runId: 'r', workflow: 'Wide', description: '', config: undefined, startedAt: 0, endedAt: 1000 },
    ...{ incarnations: 1, stretches: [], resources: [], deadLetters: [], slowest: [], notes: [] },
    tasks: Object.fromEntries(tasks) as RunStory['tasks'],
    summary: { outcome: 'completed', bottleneck: { task: name(count - 1), load: 1 } } as RunStory['summary'],
    graph: Array.from({ length: count }, (_, number) => ({
      ...{ name: name(number), kind: 'sync', join: 'aligned', bearing: 'inherits', outputRoot: 'Task 0' },
      dependencies: number === 0 ? [] : [name(number - 1)],
    })) as unknown as RunStory['graph'],
  };
}

describe('the tasks that a report shows', () => {
  it('are all tasks of a graph that can be read', () => {
    const story = storyOf(1000);
    expect(shownTasks(story, new Map())).toBe(story.graph);
    expect(page(story)).toContain('Graph of 1000 tasks');
  });

  it('are the bottleneck, those with failures and the busiest of a larger graph, in its order', () => {
    const shown = shownTasks(storyOf(1500), new Map([['Task 700', 0.5]])).map(({ name }) => name);
    expect(shown).toHaveLength(300);
    expect(shown.slice(-3)).toEqual(['Task 700', 'Task 1495', 'Task 1499']);
  });

  it('keep the page of a large graph small, which has one row per layer instead of the picture', () => {
    const text = page(storyOf(1500));
    expect(text).toContain('1,500 tasks are too many to draw');
    expect(text).toContain('Shown are 300 of 1,500 tasks');
    expect(text.match(/<tr/g)?.length).toBeLessThan(2200);
  });
});
