/** What a graph can say besides plain edges, in each view of it: text, Mermaid, the report and the page of a server. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  branch,
  defineWorkflow,
  expandTask,
  sinkTask,
  sourceTask,
  subWorkflow,
  syncTask,
  type RunEvent,
  type RunSummary,
} from 'millrace';
import { iterateTask, pageTask } from 'millrace/iterate';
import { reportOf } from 'millrace/observe';
import { tumbling, windowJoin } from 'millrace/windows';
import { from } from 'rxjs';
import { graphMermaid } from '#lib/commands/graph-mermaid.js';
import { graphText } from '#lib/commands/graph-text.js';
import { RunViewBuilder, type RunView } from '#lib/server/runs/run-view.js';

interface Click {
  readonly user: number;
  readonly at: number;
}

const clicks = [1, 2, 3, 4].map((n): Click => ({ user: n % 2, at: n * 10 }));

const Digits = defineWorkflow({
  name: 'Digits',
  build: (flow) =>
    flow
      .task('Clicks', sourceTask<Click>([]))
      .task(
        'Each',
        ['Clicks'],
        expandTask(({ at }) => Array.from(String(at), Number)),
      )
      .task(
        'Sum',
        ['Each'],
        { join: 'gather' },
        syncTask((digits) => digits.reduce((sum, digit) => sum + digit, 0)),
      ),
});

const Everything = defineWorkflow({
  name: 'Everything',
  build: (flow) =>
    flow
      .task('Clicks', sourceTask(clicks))
      .task('Orders', sourceTask(clicks))
      .task(
        'Route',
        ['Clicks'],
        branch(['odd', 'even'], ({ user }) => (user === 1 ? 'odd' : 'even')),
      )
      .task(
        'Ask',
        ['Route.odd'],
        asyncTask(async (click) => {
          if (click.at === 30) throw new Error('no');
          return click;
        }),
      )
      .task(
        'Repair',
        ['Ask.failed'],
        syncTask(({ record }) => record),
      )
      .task(
        'All',
        ['Ask', 'Repair', 'Route.even'],
        { join: 'merge' },
        syncTask((click) => click),
      )
      .task(
        'Rich',
        ['Clicks', 'Ask'],
        { join: 'aligned', optional: ['Ask'] },
        syncTask(([click, asked]) => ({ ...click, isAsked: asked !== undefined })),
      )
      .task(
        'Poll',
        ['Rich'],
        iterateTask({ init: () => 0, step: async (n) => n + 1, until: (n) => n === 2, maxIterations: 2 }),
      )
      .task('Pages', ['Rich'], pageTask({ page: async () => ({ items: [1, 2] }), maxPages: 1 }))
      .task('Digits', ['Clicks'], subWorkflow(Digits, { input: 'Clicks', output: 'Sum' }))
      .task(
        'Same minute',
        ['Clicks', 'Orders'],
        { join: 'merge', labelled: true },
        windowJoin({
          left: { from: 'Clicks', key: ({ user }: Click) => user, timestamp: ({ at }) => at },
          right: { from: 'Orders', key: ({ user }: Click) => user, timestamp: ({ at }) => at },
          window: tumbling(1000),
          kind: 'inner',
        }),
      )
      .task(
        'Show',
        ['Same minute'],
        sinkTask(() => undefined),
      )
      .task(
        'Tell',
        { after: ['Show'], when: 'ended' },
        sinkTask(() => undefined),
      ),
});

describe('a graph with a choice, a failed path, optional and whole-task edges, a window join and a sub-workflow', () => {
  let report: string;
  let view: RunView;
  let summary: RunSummary;
  beforeAll(async () => {
    const events: RunEvent[] = [];
    const run = Everything.run();
    run.events$.subscribe((event) => events.push(event));
    summary = await run.finished;
    report = await reportOf(from(events));
    const builder = new RunViewBuilder();
    for (const event of events) builder.record(event);
    view = builder.build() as RunView;
  });

  it('has each of them in the text of the graph', () => {
    const text = graphText('Everything', Everything.plan()).join('\n');
    for (const line of [
      /Ask +async +Route\.odd/,
      /Repair +sync +Ask\.failed/,
      /All +sync +Ask, Repair, Route\.even +merge/,
      /Rich +sync +Clicks, Ask\? +aligned/,
      /Same minute +window-join +Clicks, Orders +merge +Same minute/,
      /Tell +sink +after Show ended/,
      /^Sub-workflow Digits: 3 tasks/m,
    ]) {
      expect(text).toMatch(line);
    }
  });

  it('has each of them in Mermaid', () => {
    const text = graphMermaid('Everything', Everything.plan()).join('\n');
    for (const part of ['-->|odd|', '-->|failed|', '|even, merge|', '-.->|if ended|', '<i>window-join</i>']) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/-\.-> t\d/);
  });

  it('has each of them in the report', () => {
    expect(report.match(/class="edge optional"/g)).toHaveLength(1);
    expect(report.match(/class="edge rule"/g)).toHaveLength(1);
    for (const part of ['Ask.failed', 'Route.odd', 'Route.even', 'window-join', '8 iterations', 'of 3 tasks']) {
      expect(report).toContain(part);
    }
  });

  it('has each of them on the page of a server, with the records of each edge', () => {
    const edge = (one: string, other: string) => view.edges.find((each) => each.from === one && each.to === other);
    expect(edge('Ask', 'Repair')).toMatchObject({ records: 1 });
    expect(edge('Route', 'Ask')).toMatchObject({ records: 2 });
    expect(edge('Ask', 'Rich')).toMatchObject({ records: 1, isOptional: true });
    expect(edge('Clicks', 'Rich')).toMatchObject({ records: 4, isOptional: false });
    expect(edge('Orders', 'Same minute')).toMatchObject({ records: 4 });
    expect(edge('Show', 'Tell')).toMatchObject({ state: 'rule' });
    const task = (name: string) => view.tasks.find((each) => each.name === name);
    expect(task('Poll')).toMatchObject({ in: 4, out: 4, iterations: 8 });
    expect(task('Pages')).toMatchObject({ in: 4, out: 8, iterations: 4 });
    expect(task('Digits')?.whole).toMatchObject({ tasks: 3 });
    expect(view).toMatchObject({ isConserved: true, outcome: 'completed' });
  });

  it('accounts for each record in the summary', () => {
    expect(summary.deadLettered).toBe(0);
    expect(summary.tasks['Ask']).toMatchObject({ in: 2, out: 2, failed: 1, outputs: { failed: 1 } });
    expect(summary.tasks['Route']).toMatchObject({ outputs: { odd: 2, even: 2 } });
    expect(summary.tasks['All']).toMatchObject({ in: 4 });
  });
});
