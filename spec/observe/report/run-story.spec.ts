/** What a report knows of a run, from its events alone. */
import { describe, expect, it } from '@jest/globals';
import { from, lastValueFrom, of, toArray } from 'rxjs';
import { defineWorkflow, sourceTask, syncTask, type RunEvent } from 'millrace';
import { reportOf } from 'millrace/observe';
import { bucketQuantile } from '#lib/observe/report/bucket-quantile.js';
import { LATENCY_BOUNDS_MS } from '#lib/measure/histogram.js';
import { StoryBuilder, type RunStory } from '#lib/observe/report/run-story.js';

async function eventsOfRun(): Promise<RunEvent[]> {
  const flow = defineWorkflow({
    name: 'Story',
    build: (build) =>
      build.task('Numbers', sourceTask([1, 2, 3, 0])).task(
        'Invert',
        ['Numbers'],
        syncTask((n: number) => {
          if (n === 0) throw new Error('zero');
          return 1 / n;
        }),
      ),
  });
  const run = flow.run();
  const events = lastValueFrom(run.events$.pipe(toArray()));
  await run.finished;
  return events;
}

function storyOf(events: readonly RunEvent[]): RunStory | undefined {
  const builder = new StoryBuilder();
  for (const event of events) builder.record(event);
  return builder.build();
}

const letter = (n: number): RunEvent =>
  ({ type: 'dead-letter', at: 1, letter: { task: 'T', code: 'C', message: `message ${n}` } }) as never;

describe('the story of a run', () => {
  it('holds the graph, the counts, the dead letters and the end', async () => {
    const story = storyOf(await eventsOfRun());
    expect(story).toMatchObject({
      workflow: 'Story',
      summary: { outcome: 'completed' },
      tasks: { Numbers: { in: 4, out: 4 }, Invert: { out: 3, deadLettered: 1 } },
      deadLetters: [{ task: 'Invert', code: 'MILLRACE_TASK', message: 'zero', count: 1 }],
    });
    expect(story?.graph.map(({ name }) => name)).toEqual(['Numbers', 'Invert']);
  });

  it('of a run that was killed is what there is', async () => {
    const events = (await eventsOfRun()).filter(({ type }) => type !== 'run-ended');
    expect(storyOf(events)?.summary).toBeUndefined();
    expect(await reportOf(from(events))).toContain('not ended');
  });

  it('names the bottleneck in the label of its box, for screen readers', async () => {
    const bottleneck = { task: 'Invert', load: 0.9 };
    const events = (await eventsOfRun()).map((event): RunEvent =>
      event.type === 'run-ended' ? { ...event, summary: { ...event.summary, bottleneck } } : event,
    );
    const labels = [...(await reportOf(from(events))).matchAll(/<a href="#task-\d+" aria-label="([^"]*)"/g)];
    expect(labels.map(([, label]) => label)).toEqual([
      expect.stringMatching(/^Numbers, source: 4 out, \d+ % busy$/),
      expect.stringMatching(/^Invert, sync, bottleneck: 3 out · 1 given up, \d+ % busy$/),
    ]);
  });

  it('of a run with several incarnations counts the last one, from the start of the first', async () => {
    const first = (await eventsOfRun()).filter(({ type }) => type !== 'run-ended');
    const second = (await eventsOfRun()).flatMap((event): RunEvent[] =>
      event.type === 'run-started' ? [event, { type: 'resumed', at: event.at, incarnation: 2, from: 1 }] : [event],
    );
    const story = storyOf([...first, ...second]);
    expect(story).toMatchObject({ incarnations: 2, startedAt: first[0]?.at, tasks: { Numbers: { in: 4 } } });
    expect(story?.notes.map(({ text }) => text)).toEqual(['Resumed, incarnation 2']);
    expect(await reportOf(from([...first, ...second]))).toContain('records read in the last incarnation');
  });

  it('stays small however long the run was', async () => {
    const [start, progress] = (await eventsOfRun()).filter(({ type }) => type === 'run-started' || type === 'progress');
    const builder = new StoryBuilder();
    builder.record(start as RunEvent);
    for (let n = 0; n < 20_000; n++) {
      builder.record({
        ...(progress as Extract<RunEvent, { type: 'progress' }>),
        at: (start?.at ?? 0) + 1000 * (n + 1),
      });
      builder.record(letter(n));
    }
    const story = builder.build();
    expect(story?.stretches.length).toBeLessThanOrEqual(240);
    expect(story?.deadLetters.length).toBeLessThanOrEqual(101);
    expect(story?.deadLetters.reduce((sum, { count }) => sum + count, 0)).toBe(20_000);
    expect((story?.stretches.at(-1)?.to ?? 0) - (story?.stretches[0]?.from ?? 0)).toBe(20_000_000);
  });

  it('says what the recording and the report leave out', async () => {
    const builder = new StoryBuilder();
    for (const event of await eventsOfRun()) builder.record(event);
    builder.record({ type: 'dropped', at: 5, count: 1207, types: { 'dead-letter': 1200, retry: 7 } });
    for (let n = 0; n < 203; n++) builder.record({ type: 'notice', at: 6, message: `notice ${n}` });
    const notes = builder.build()?.notes.map(({ text }) => text) ?? [];
    expect(notes[0]).toBe('Left out of the recording, because the disk was too slow: 1,200 dead-letter, 7 retry');
    expect(notes.at(-1)).toBe('4 more notes not listed here');
    expect(notes).toHaveLength(201);
  });

  it('is refused where there is no run', async () => {
    await expect(reportOf(of())).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
  });
});

describe('a quantile from buckets', () => {
  it('lies in the bucket of its rank', () => {
    const at10 = LATENCY_BOUNDS_MS.map((bound) => (bound >= 10 ? 100 : 0));
    expect(bucketQuantile(at10, 100, 0.5)).toBe(7.5);
    expect(bucketQuantile(at10, 100, 1)).toBe(10);
    expect(
      bucketQuantile(
        LATENCY_BOUNDS_MS.map(() => 0),
        1,
        0.95,
      ),
    ).toBe(60_000);
  });
});
