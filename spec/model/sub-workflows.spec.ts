/** Sub-workflows as groups, in everything that shows a graph. */
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, sourceTask, subWorkflow, syncTask, type RunEvent } from 'millrace';
import { renderSummary } from '#lib/commands/final-table.js';
import { graphMermaid } from '#lib/commands/graph-mermaid.js';
import { graphText } from '#lib/commands/graph-text.js';
import { renderFrame } from '#lib/commands/progress-frame.js';
import { RunWatch } from '#lib/commands/run-watch.js';
import { arrange, countsOfWhole, outlineOf } from '#lib/model/sub-workflows.js';
import { performanceSummary } from '#lib/observe/performance-summary.js';
import { page } from '#lib/observe/report/page.js';
import { StoryBuilder } from '#lib/observe/report/run-story.js';
import { RunViewBuilder } from '#lib/server/runs/run-view.js';

const Half = defineWorkflow({
  name: 'Half',
  build: (flow) =>
    flow.task('In', sourceTask<number>([])).task(
      'Even',
      ['In'],
      syncTask((n) => {
        if (n % 2 === 1) throw new Error('odd');
        return n / 2;
      }),
    ),
});
const Quarter = defineWorkflow({
  name: 'Quarter',
  build: (flow) =>
    flow
      .task('Whole', sourceTask<number>([]))
      .task('Once', ['Whole'], subWorkflow(Half, { input: 'In', output: 'Even' }))
      .task('Twice', ['Once'], subWorkflow(Half, { input: 'In', output: 'Even' })),
});
const Flow = defineWorkflow({
  name: 'Flow',
  build: (flow) =>
    flow
      .task('Numbers', sourceTask([4, 5, 6, 8]))
      .task('Divide', ['Numbers'], subWorkflow(Quarter, { input: 'Whole', output: 'Twice' }))
      .task(
        'Show',
        ['Divide'],
        asyncTask(async (n) => n),
      ),
});
const NAMES = [
  'Numbers',
  'Divide',
  '  Divide/Whole',
  '  Divide/Once',
  '    Divide/Once/In',
  '    Divide/Once/Even',
  '  Divide/Twice',
  '    Divide/Twice/In',
  '    Divide/Twice/Even',
  'Show',
];

const run = Flow.run(undefined);
const events: RunEvent[] = [];
const watch = new RunWatch(run);
run.events$.subscribe((event) => {
  events.push(event);
  watch.accept(event);
});
const summary = await run.finished;

describe('a sub-workflow', () => {
  it('has the counts of the whole in the summary, and in that of earlier tools', () => {
    const members = ['Divide/Whole', 'Divide/Once/In', 'Divide/Once/Even', 'Divide/Once'];
    expect(summary.tasks['Divide']?.whole).toMatchObject({ in: 4, out: 2, skipped: 0, deadLettered: 2, failed: 2 });
    expect(summary.tasks['Divide']?.whole?.members).toEqual(expect.arrayContaining(members));
    expect(summary.tasks['Divide']?.whole?.members[0]).toBe('Divide/Whole');
    expect(summary.tasks['Divide']).toMatchObject({ in: 2, out: 2, deadLettered: 0 });
    expect(summary.tasks['Divide/Once']?.whole).toMatchObject({ in: 4, out: 3, deadLettered: 1 });
    expect(summary.tasks['Show']).not.toHaveProperty('whole');
    expect(performanceSummary(summary)).toMatchObject({
      tasks: { Divide: { whole: { processed_item_count: 4, output_item_count: 2, dead_letter_count: 2 } } },
    });
  });

  it('stands in front of its tasks in the table at the end', () => {
    const lines = renderSummary(summary, 200);
    expect(lines.slice(1, 11).map((line) => line.slice(0, 21).trimEnd())).toEqual(NAMES);
    expect(lines[2]).toMatch(/^Divide +sub-workflow +4 +2 +0 +2 /);
  });

  it('stands in front of its tasks while it runs, and alone where there is no room for them', () => {
    const tasks = watch.look();
    const frame = { workflow: 'Flow', state: 'running', elapsedMs: 1000, tasks } as const;
    const names = (lines: readonly string[]): string[] => lines.slice(2).map((line) => line.slice(0, 21).trimEnd());
    expect(names(renderFrame(frame, 120, 20))).toEqual(NAMES);
    const short = renderFrame(frame, 120, 7);
    expect(names(short).map((line) => line.replace(/ {2,}.*/, ''))).toEqual([
      'Numbers',
      'Divide',
      'Show',
      'and 7 more tasks',
    ]);
    expect(short[3]).toMatch(/^Divide +2 +0 +0 +2 /);
  });

  it('is a line of the drawn graph, and a frame of the flowchart', () => {
    const plan = Flow.plan();
    expect(graphText('Flow', plan)).toEqual(
      expect.arrayContaining([
        'Sub-workflow Divide/Once: 2 tasks, Divide/Once/In, Divide/Once/Even',
        expect.stringMatching(/^Sub-workflow Divide: 7 tasks, Divide\/Whole, /),
      ]),
    );
    const chart = graphMermaid('Flow', plan);
    expect(chart.filter((line) => / subgraph |^ *end$/.test(line))).toEqual([
      '  subgraph s0["Divide"]',
      '    subgraph s1["Divide/Once"]',
      '    end',
      '    subgraph s2["Divide/Twice"]',
      '    end',
      '  end',
    ]);
  });

  it('is one box of the report, with its tasks below, and a row with the whole', () => {
    const story = new StoryBuilder();
    for (const event of events) story.record(event);
    const text = page(story.build() as never);
    expect(text).toContain('aria-label="Graph of 3 tasks"');
    expect(text).toMatch(/<summary>Divide: 7 tasks<\/summary>[^]*aria-label="Graph of 8 tasks"/);
    expect(text).toMatch(/aria-label="Divide, sub-workflow(, bottleneck)?: 2 out · 2 given up/);
    expect(text.replace(/\s+/g, ' ')).toMatch(/>Divide<\/th> <td class="">sub-workflow of 7 tasks<\/td>/);
    for (const [, id = ''] of text.matchAll(/href="#(task-\d+)"/g)) expect(text).toContain(`id="${id}"`);
  });

  it('is one box of the page of a server, and a row with the whole', () => {
    const builder = new RunViewBuilder();
    for (const event of events) builder.record(event);
    const view = builder.build();
    expect(view?.outline?.places.map(({ task, layer }) => [task, layer])).toEqual([
      ['Numbers', 0],
      ['Divide', 1],
      ['Show', 2],
    ]);
    expect(view?.outline?.edges.map(({ from, to, records }) => [from, to, records])).toEqual([
      ['Numbers', 'Divide', 4],
      ['Divide', 'Show', 2],
    ]);
    expect(view?.tasks.map(({ name, depth }) => `${'  '.repeat(depth)}${name}`)).toEqual(NAMES);
    expect(view?.tasks[1]?.whole).toEqual({ tasks: 7, in: 4, out: 2, skipped: 0, deadLettered: 2, inFlight: 0 });
  });
});

describe('the outline of a graph', () => {
  const task = (name: string, dependencies: readonly string[], members?: readonly string[]): never =>
    ({ name, dependencies, ...(members && { members }) }) as never;

  it('does not exist without sub-workflows, or if a task would come before and after one', () => {
    expect(outlineOf([task('A', []), task('B', ['A'])])).toBeUndefined();
    const between = [
      task('S/Own', []),
      task('S', ['S/Own'], ['S/In', 'S/Own']),
      task('Between', ['S']),
      task('S/In', ['Between']),
    ];
    expect(outlineOf(between)).toBeUndefined();
  });

  it('puts a sub-workflow behind all that it depends on', () => {
    const outline = outlineOf([
      task('S/Own', []),
      task('S', ['S/Own'], ['S/In', 'S/Own']),
      task('A', []),
      task('S/In', ['A']),
      task('B', ['S']),
    ]);
    expect(outline?.tasks).toEqual([
      task('A', []),
      { name: 'S', dependencies: ['A'], members: ['S/In', 'S/Own'] },
      task('B', ['S']),
    ]);
  });
});

it('tasks with the names of members of objects are arranged and summed up like others', () => {
  const tasks = [{ name: 'constructor', members: ['__proto__'] }, { name: '__proto__' }, { name: 'toString' }];
  expect(arrange(tasks)).toEqual([
    { name: 'constructor', depth: 0 },
    { name: '__proto__', depth: 1 },
    { name: 'toString', depth: 0 },
  ]);
  expect(countsOfWhole({ name: 'constructor', members: ['x'] }, ['skipped'], () => undefined)).toEqual({
    in: 0,
    out: 0,
    skipped: 0,
  });
});
