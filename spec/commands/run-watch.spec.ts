/** What the live frame knows of a run: how far each task is, and how long it may take. */
import { describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import type { RunEvent } from 'millrace';
import { RunWatch } from '#lib/commands/run-watch.js';
import type { FrameTask } from '#lib/commands/progress-frame.js';

const counts = { in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0 };

/** Source → Sum (a boundary) → Ask → Write, and Ask meets its own source in Pair. */
function watchOf(done: Record<string, number>): RunWatch {
  const all = Object.entries({ Source: 0, Sum: 0, Ask: 0, Write: 0, Pair: 0, ...done });
  const watch = new RunWatch({
    counts: Object.fromEntries(all.map(([name, out]) => [name, { ...counts, in: out, out }])),
    events$: NEVER,
  });
  const task = (name: string, dependencies: string[], bearing: string, join = 'aligned') => ({
    name,
    kind: 'sync',
    dependencies,
    join,
    bearing,
    outputRoot: name,
  });
  const graph = [
    task('Source', [], 'source'),
    task('Sum', ['Source'], 'boundary'),
    task('Ask', ['Sum'], 'inherits'),
    task('Write', ['Ask'], 'inherits'),
    task('Pair', ['Source', 'Ask'], 'inherits', 'latest'),
  ];
  watch.accept({ type: 'run-started', graph } as unknown as RunEvent);
  return watch;
}

const ended = (task: string, out: number): RunEvent => ({
  type: 'task-ended',
  at: 0,
  task,
  counts: { ...counts, in: out, out },
});
const progress = (readShare: number): RunEvent =>
  ({ type: 'progress', tasks: { Source: { readShare } }, bottleneck: { task: 'Sum', load: 0.9 } }) as never;
const shareOf = (watch: RunWatch, name: string): number | undefined =>
  (watch.figures().tasks as FrameTask[]).find((task) => task.name === name)?.share;

describe('what is known of how far a task is', () => {
  it('is what its source has read, while it reads', () => {
    const watch = watchOf({ Source: 10 });
    expect(shareOf(watch, 'Source')).toBeUndefined();
    watch.accept(progress(0.25));
    expect(shareOf(watch, 'Source')).toBe(0.25);
    expect([shareOf(watch, 'Sum'), shareOf(watch, 'Ask')]).toEqual([undefined, undefined]);
    expect(watch.figures().bottleneck).toEqual({ task: 'Sum', load: 0.9 });
  });

  it('is what it has done of what tasks that have ended gave it, also through others', () => {
    const watch = watchOf({ Source: 100, Sum: 20, Ask: 5, Write: 4 });
    watch.accept(ended('Source', 100));
    expect(shareOf(watch, 'Source')).toBe(1);
    expect(shareOf(watch, 'Ask')).toBeUndefined();
    watch.accept(ended('Sum', 20));
    expect([shareOf(watch, 'Ask'), shareOf(watch, 'Write')]).toEqual([0.25, 0.2]);
    // How many pairs there will be nobody knows.
    expect(shareOf(watch, 'Pair')).toBeUndefined();
  });

  it('says nothing of the time that is left before it knows enough', () => {
    const watch = watchOf({ Source: 1 });
    expect(watch.figures().leftMs).toBeUndefined();
    watch.accept(progress(0.001));
    expect(watch.figures().leftMs).toBeUndefined();
    watch.accept(progress(0.5));
    expect(watch.figures().leftMs).toBeGreaterThan(0);
  });
});
