/** What people see of a run: frames, lines, tables and graphs, as pure functions of what is shown. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { renderSummary } from '#lib/commands/final-table.js';
import { graphMermaid } from '#lib/commands/graph-mermaid.js';
import { graphText } from '#lib/commands/graph-text.js';
import { cut, duration, grouped, oneLine, printable, widthOf } from '#lib/text/printable.js';
import { renderFrame, renderLine, type FrameTask } from '#lib/commands/progress-frame.js';
import { Rates } from '#lib/commands/rates.js';
import { defineWorkflow, Workflow } from '#lib/runtime/definition/workflow.js';
import { expandTask } from '#lib/tasks/expand-task.js';
import { sourceTask } from '#lib/tasks/source-task.js';
import { syncTask } from '#lib/tasks/sync-task.js';

function task(name: string, counts: Partial<FrameTask['counts']> = {}, perSecond = 0): FrameTask {
  return { name, counts: { in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0, ...counts }, perSecond };
}

const TASKS = [
  task('Extract', { in: 4000, out: 3882, skipped: 118 }, 2000),
  task('ATS Predict', { in: 890, out: 800, deadLettered: 2, inFlight: 88 }, 7.25),
];

describe('the live frame', () => {
  it('shows for each task what is done, in flight, skipped, failed, and how fast', () => {
    const frame = { workflow: 'Offer', state: 'running' as const, elapsedMs: 12_340, tasks: TASKS };
    expect(renderFrame(frame, 80, 24)).toEqual([
      'Offer  running  12.3 s',
      'task          done  in flight  skipped  failed  per second',
      'Extract      4,000          0      118       0       2,000',
      'ATS Predict    800         88        0       2         7.3',
    ]);
  });

  it('marks the bottleneck, and shows how far a task is where the whole is known, what is left, and the process', () => {
    const [extract, predict] = TASKS as [FrameTask, FrameTask];
    const frame = {
      workflow: 'Offer',
      state: 'running' as const,
      elapsedMs: 12_340,
      leftMs: 61_000,
      resources: 'memory 100 MiB',
      bottleneck: { task: 'ATS Predict', load: 0.9 },
      tasks: [
        { ...extract, share: 1 },
        { ...predict, share: 0.549 },
      ],
    };
    const paint = (tone: string, text: string): string => (tone === 'quiet' ? text : `<${tone}>${text}`);
    expect(renderFrame(frame, 90, 24, paint)).toEqual([
      '<head>Offer  running  12.3 s  about 1 min 01 s left',
      'memory 100 MiB',
      'task           progress           done  in flight  skipped  failed  per second',
      '  Extract      ██████████ 100 %  4,000          0      118       0       2,000',
      '<bottleneck>▸ ATS Predict  █████▌░░░░  54 %    800         88        0       2         7.3',
    ]);
    // In a small window tasks come before the process.
    expect(renderFrame(frame, 30, 5).join()).not.toContain('memory');
  });

  it('drops the columns that matter least, then cuts names, where the terminal is narrow', () => {
    const frame = { workflow: 'Offer', state: 'draining' as const, elapsedMs: 0, tasks: TASKS };
    expect(renderFrame(frame, 45, 24)[1]).toBe('task          done  failed  per second');
    expect(renderFrame(frame, 24, 24).slice(1)).toEqual([
      'task        done  failed',
      'Extract    4,000       0',
      'ATS Pred…    800       2',
    ]);
  });

  it('never is wider or higher than the terminal, whatever the names are', () => {
    const frames = fc.record({
      names: fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 40 }),
      columns: fc.integer({ min: 1, max: 120 }),
      rows: fc.integer({ min: 2, max: 40 }),
      count: fc.nat(),
    });
    fc.assert(
      fc.property(frames, ({ names, columns, rows, count }) => {
        const tasks = names.map((name) => task(name, { in: count, inFlight: count % 7 }));
        const lines = renderFrame(
          { workflow: names[0] ?? '', state: 'running', elapsedMs: count, tasks },
          columns,
          rows,
        );
        expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
        expect(lines.length).toBeLessThan(rows);
        expect(lines.join('')).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
      }),
    );
  });

  it('keeps the tasks that hold records where not all have room, and says how many it hides', () => {
    const tasks = Array.from({ length: 10 }, (_, n) => task(`Task ${n}`, n === 8 ? { in: 5, inFlight: 5 } : {}));
    const lines = renderFrame({ workflow: 'W', state: 'running', elapsedMs: 0, tasks }, 80, 7);
    expect(lines.map((line) => line.split('  ')[0])).toEqual([
      'W',
      'task',
      'Task 0',
      'Task 1',
      'Task 8',
      'and 7 more tasks',
    ]);
  });
});

describe('a plain line', () => {
  it('prints one task without an escape', () => {
    expect(renderLine(task('A\u001b[2J', { in: 1_234_567, inFlight: 3, deadLettered: 1 }, 99), 65_000)).toBe(
      '1 min 05 s  A\\u001b[2J: 1,234,563 done, 3 in flight, 1 failed, 99 per second',
    );
  });
});

describe('the final table', () => {
  const summary = {
    runId: 'r',
    workflow: 'Offer',
    description: '',
    outcome: 'completed' as const,
    startedAt: 0,
    endedAt: 2000,
    elapsedMs: 2000,
    skipped: 118,
    deadLettered: 1,
    slowest: [],
    tasks: {
      Extract: {
        kind: 'csv source',
        dependencies: [],
        status: 'completed' as const,
        in: 4000,
        out: 3881,
        skipped: 118,
        skipReasons: { 'missing\nmemberId': 118 },
        deadLettered: 1,
        failed: 1,
        retried: 0,
        elapsedMs: 1000,
        recordsPerSecond: 4000,
        latencyMs: { p50: 0.04, p95: 12.34, p99: 20, max: 1234 },
        queueMs: { p50: 0, p95: 0, p99: 0, max: 0 },
        batches: 8,
        shares: { busy: 0.5, waiting: 0.25, blocked: 0.25 },
        load: 0.5,
      },
    },
  };

  it('accounts for every record, with the reasons of the skipped ones', () => {
    expect(renderSummary(summary, Infinity)).toEqual([
      'task     kind           in    out  skipped  dead letters  retried  per second  p50 ms  p95 ms  max ms',
      'Extract  csv source  4,000  3,881      118             1        0       4,000     0.0    12.3   1,234',
      '  118 skipped by Extract: missing memberId',
      'Offer: completed in 2.0 s, 118 skipped, 1 dead letter',
    ]);
  });

  it('respects the width', () => {
    for (let width = 1; width < 110; width++) {
      expect(Math.max(...renderSummary(summary, width).map(widthOf))).toBeLessThanOrEqual(width);
    }
  });
});

describe('text', () => {
  it('loses its control characters, and keeps everything else', () => {
    expect(printable('a\tb\u0007\u009b\u202e é 日本 😀')).toBe('a\\tb\\u0007\\u009b\\u202e é 日本 😀');
    expect(oneLine(' first\r\n  second ')).toBe('first second');
  });

  it('is measured and cut in columns, not in characters', () => {
    expect([widthOf('日本'), widthOf('é'), widthOf('e\u0301'), widthOf('👩‍👩‍👧')]).toEqual([4, 1, 1, 2]);
    expect([cut('日本語', 5), cut('日本語', 4), cut('abc', 3), cut('abc', 0)]).toEqual(['日本…', '日…', 'abc', '']);
  });

  it('writes counts and durations for people', () => {
    expect([grouped(0), grouped(999), grouped(1000), grouped(1_234_567)]).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([800, 61_000, 7_380_000].map(duration)).toEqual(['0.8 s', '1 min 01 s', '2 h 03 min']);
  });
});

describe('a rate', () => {
  it('looks a few seconds back and no further', () => {
    const rates = new Rates(3000);
    expect(rates.perSecond('A')).toBe(0);
    for (let second = 0; second <= 10; second++) rates.add(second * 1000, new Map([['A', second * 100]]));
    expect(rates.perSecond('A')).toBe(100);
    for (let second = 11; second <= 14; second++) rates.add(second * 1000, new Map([['A', 1000]]));
    expect(rates.perSecond('A')).toBe(0);
  });
});

describe('a graph', () => {
  const Diamond = defineWorkflow({
    name: 'Diamond',
    build: (flow) =>
      flow
        .task('Lines', sourceTask(['a b']))
        .task(
          'Words "1"',
          ['Lines'],
          expandTask((line: string) => line.split(' ')),
        )
        .task(
          'Upper',
          ['Words "1"'],
          syncTask((word: string) => word.toUpperCase()),
        )
        .task(
          'Back',
          ['Upper'],
          { join: 'gather' },
          syncTask((words: string[]) => words),
        )
        .task(
          'Both',
          ['Lines', 'Back'],
          syncTask((pair) => pair),
        ),
  });

  it('as text has a line a task, a rail an edge, and says kinds, dependencies, joins and roots', () => {
    expect(graphText('Diamond', Diamond.plan())).toEqual([
      'Diamond: 5 tasks, 2 roots (Lines, Words "1")',
      '',
      'task            kind    inputs       join     root',
      '*  Lines        source                        Lines',
      '+-+',
      '* |  Words "1"  expand  Lines                 Words "1"',
      '* |  Upper      sync    Words "1"             Words "1"',
      '* |  Back       sync    Upper        gather   Lines',
      '+-+',
      '*  Both         sync    Lines, Back  aligned  Lines',
      'State kept in checkpoints: Words "1", Back',
    ]);
  });

  it('as text has a line a layer, if there are too many edges side by side', () => {
    const wide = new Workflow({
      name: 'Wide',
      tasks: () => [
        { name: 'S', dependencies: [], task: sourceTask([1]) },
        ...Array.from({ length: 100 }, (_, n) => ({
          name: `T${n}`,
          dependencies: ['S'],
          task: syncTask((value: number) => value),
        })),
        { name: 'End', dependencies: ['T1', 'T2'], task: syncTask((pair: [number, number]) => pair) },
      ],
    });
    expect(graphText('Wide', wide.plan())).toEqual([
      'Wide: 102 tasks, 1 root (S)',
      '',
      'The graph is too wide to draw: 3 layers. --format mermaid has every edge',
      '',
      'layer  tasks  kinds     edges in  names',
      '1      1      1 source  0         S',
      '2      100    100 sync  100       T0, T1, T2, …',
      '3      1      1 sync    2         End',
    ]);
  });

  it('as Mermaid quotes every name and names every join that is not aligned', () => {
    expect(graphMermaid('Diamond', Diamond.plan())).toEqual([
      '%% Diamond',
      'flowchart LR',
      '  t0(["Lines<br/><i>source</i>"])',
      '  t1["Words #34;1#34;<br/><i>expand</i>"]',
      '  t2["Upper<br/><i>sync</i>"]',
      '  t3["Back<br/><i>sync</i>"]',
      '  t4[/"Both<br/><i>sync</i>"/]',
      '  t0 --> t1',
      '  t1 --> t2',
      '  t2 -->|gather| t3',
      '  t0 --> t4',
      '  t3 --> t4',
    ]);
  });
});
