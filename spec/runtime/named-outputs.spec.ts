/**
 * Choices, failed records as a path, merges and optional partners: what a user sees of them. The laws are in the
 * simulation.
 */
import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  branch,
  defineWorkflow,
  expandTask,
  sinkTask,
  skip,
  sourceTask,
  syncTask,
  Workflow,
} from 'millrace';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import { outputsOf } from '../support/outputs-of.js';

const numbers = sourceTask([1, 20, 3, 40, 0]);
const bySize = branch(['large', 'small'], (n: number) => (n === 0 ? skip('nothing') : n > 10 ? 'large' : 'small'));
const odd = (): ReturnType<typeof asyncTask<number, number>> =>
  asyncTask(async (n: number) => {
    if (n % 2 === 1) throw Object.assign(new Error('odd'), { code: 'ODD' });
    return n;
  });

describe('a branch', () => {
  it('hands each record on by one output, and a merge takes them again under their lineage', async () => {
    const { records, summary } = await outputsOf('Show', (flow) =>
      flow
        .task('Numbers', sourceTask([1, 20, 3, 40, 0]))
        .task(
          'Route',
          ['Numbers'],
          branch(['large', 'small'], (n) => (n === 0 ? skip('none') : n > 10 ? 'large' : 'small')),
        )
        .task(
          'Halved',
          ['Route.large'],
          asyncTask(async (n) => n / 2),
        )
        .task(
          'Fit',
          ['Halved', 'Route.small'],
          { join: 'merge' },
          syncTask((n) => n),
        )
        .task(
          'Show',
          ['Numbers', 'Fit'],
          syncTask(([was, is]) => `${was}:${is}`),
        ),
    );
    expect(records.sort()).toEqual(['1:1', '20:10', '3:3', '40:20']);
    expect(summary.tasks['Route']).toMatchObject({ in: 5, out: 4, skipped: 1, outputs: { large: 2, small: 2 } });
    expect(summary.tasks['Fit']).toMatchObject({ in: 4, out: 4 });
  });

  it('gives up a record for which its function throws, or names no output', async () => {
    const deadLetters = recordingDeadLetters();
    const choose = (n: number): 'large' => {
      if (n === 1) throw new Error('no idea');
      return n === 20 ? ('huge' as 'large') : 'large';
    };
    const { records } = await outputsOf(
      'Large',
      (flow) =>
        flow
          .task('Numbers', sourceTask([1, 20, 3]))
          .task('Route', ['Numbers'], branch(['large', 'small'], choose))
          .task(
            'Large',
            ['Route.large'],
            syncTask((n) => n),
          )
          .task(
            'Small',
            ['Route.small'],
            syncTask((n) => n),
          ),
      { deadLetters },
    );
    expect(records).toEqual([3]);
    expect(deadLetters.letters.map(({ task, code, message }) => [task, code, message])).toEqual([
      ['Route', 'MILLRACE_TASK', 'no idea'],
      [
        'Route',
        'MILLRACE_INVALID_OUTPUT',
        "Expected the branch of 'Route' to be 'large' or 'small', got \"huge\" (string)",
      ],
    ]);
  });

  it.each([
    ["a branch that nothing reads: No task depends on 'Route.small'", ['Route.large']],
    ["the task itself: Depend on 'Route.large' or 'Route.small'", ['Route']],
    ["an output that it does not have: Did you mean 'Route.large'?", ['Route.larg']],
  ])('is refused with %s', (title, dependencies) => {
    const message = title.slice(title.indexOf(': ') + 2);
    const tasks = () => [
      { name: 'Numbers', dependencies: [], task: numbers as never },
      { name: 'Route', dependencies: ['Numbers'], task: bySize as never },
      { name: 'Next', dependencies, task: syncTask((n) => n) as never },
    ];
    expect(() => new Workflow({ name: 'W', tasks }).plan()).toThrow(message);
  });

  it('is refused where its branches are aligned, because no record comes by both', () => {
    const workflow = defineWorkflow({
      name: 'Both',
      build: (flow) =>
        flow
          .task('Numbers', numbers)
          .task('Route', ['Numbers'], bySize)
          .task(
            'Both',
            ['Route.large', 'Route.small'],
            syncTask(([one]) => one),
          ),
    });
    expect(() => workflow.plan()).toThrow("aligns 'Route.large' and 'Route.small', but no record passes both");
  });
});

describe('the failed output of a task', () => {
  it('hands on what the task gave up, with the error, and leaves no dead letter', async () => {
    const deadLetters = recordingDeadLetters();
    const { records, summary } = await outputsOf(
      'Answer',
      (flow) =>
        flow
          .task('Numbers', sourceTask([1, 2, 3]))
          .task('Ask', ['Numbers'], odd())
          .task(
            'Repair',
            ['Ask.failed'],
            syncTask(({ record, error, attempts }) => `${record} ${error.code} ${attempts}`),
          )
          .task(
            'Answer',
            ['Ask', 'Repair'],
            { join: 'merge' },
            syncTask((answer) => answer),
          ),
      { deadLetters },
    );
    expect(records.map(String).sort()).toEqual(['1 ODD 1', '2', '3 ODD 1']);
    expect(deadLetters.letters).toEqual([]);
    expect(summary).toMatchObject({ deadLettered: 0, outcome: 'completed' });
    expect(summary.tasks['Ask']).toMatchObject({ in: 3, out: 3, failed: 2, outputs: { failed: 2 } });
  });

  it('has what a schema of a source refuses, and what a sink cannot write', async () => {
    const refusing = {
      '~standard': {
        version: 1,
        vendor: 'spec',
        validate: (value: unknown) => (value === 2 ? { issues: [{ message: 'two' }] } : { value: value as number }),
      },
    } as const;
    const { records } = await outputsOf('Refused', (flow) =>
      flow
        .task('Numbers', sourceTask([1, 2, 3], { output: refusing }))
        .task(
          'Write',
          ['Numbers'],
          sinkTask(
            { write: () => undefined },
            {
              input: {
                '~standard': {
                  ...refusing['~standard'],
                  validate: (value) => (value === 3 ? { issues: [{ message: 'three' }] } : { value: value as number }),
                },
              },
            },
          ),
        )
        .task(
          'Refused',
          ['Numbers.failed', 'Write.failed'],
          { join: 'merge' },
          syncTask(({ record, error }) => [record, error.code]),
        ),
    );
    expect(records.sort()).toEqual([
      [2, 'MILLRACE_INVALID_OUTPUT'],
      [3, 'MILLRACE_INVALID_INPUT'],
    ]);
  });

  it('is refused where the task is a boundary, whose failures have no place among its outputs', () => {
    const workflow = defineWorkflow({
      name: 'W',
      build: (flow) =>
        flow
          .task('Numbers', numbers)
          .task(
            'Split',
            ['Numbers'],
            expandTask((n: number) => [n]),
          )
          .task(
            'Read',
            ['Split.failed'],
            syncTask((failure) => failure.record),
          ),
    });
    expect(() => workflow.plan()).toThrow(
      "'Split.failed' does not exist: a record that a boundary gives up has no slot among its outputs",
    );
  });

  it('is refused where the policy of the task leaves nothing for it', () => {
    const workflow = defineWorkflow({
      name: 'W',
      build: (flow) =>
        flow
          .task('Numbers', numbers)
          .task(
            'Ask',
            ['Numbers'],
            syncTask((n: number) => n, { onFailure: 'skip' }),
          )
          .task(
            'Read',
            ['Ask.failed'],
            syncTask((failure) => failure.record),
          ),
    });
    expect(() => workflow.plan()).toThrow(
      "Expected 'Ask' to have no `onFailure`, because a task depends on 'Ask.failed'",
    );
  });

  it('needs a checkpoint store with state where the next incarnation might fail on other records', async () => {
    const { state: _, ...stateless } = memoryCheckpoints().begin();
    const run = defineWorkflow({
      name: 'Stateless',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([1, 2], { replayable: true }))
          .task('Ask', ['Numbers'], odd())
          .task(
            'Good',
            ['Ask'],
            sinkTask(() => undefined),
          )
          .task(
            'Bad',
            ['Ask.failed'],
            sinkTask(() => undefined),
          ),
    }).run(undefined, { checkpoints: stateless });
    const notices: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    await run.finished;
    expect(notices.join()).toContain(
      "a record may leave by 'Ask.failed' in one incarnation and by another output in the next",
    );
  });
});

describe('an optional partner', () => {
  it('is undefined where its branch skipped the record or gave it up, and costs no record', async () => {
    const deadLetters = recordingDeadLetters();
    const { records } = await outputsOf(
      'Both',
      (flow) =>
        flow
          .task('Numbers', sourceTask([1, 2, 4]))
          .task(
            'Enrich',
            ['Numbers'],
            asyncTask(async (n) => {
              if (n === 1) throw new Error('no answer');
              return n === 2 ? skip('unknown') : undefined;
            }),
          )
          .task(
            'More',
            ['Numbers'],
            syncTask((n) => n * 10),
          )
          .task(
            'Both',
            ['Numbers', 'Enrich', 'More'],
            { join: 'aligned', optional: ['Enrich'] },
            syncTask((tuple) => tuple),
          ),
      { deadLetters },
    );
    expect(records.sort()).toEqual([
      [1, undefined, 10],
      [2, undefined, 20],
      [4, undefined, 40],
    ]);
    expect(deadLetters.letters.map(({ record }) => record)).toEqual([1]);
  });

  it('decides alone about nothing: at least one dependency is required', () => {
    const workflow = defineWorkflow({
      name: 'W',
      build: (flow) =>
        flow
          .task('Numbers', numbers)
          .task(
            'More',
            ['Numbers'],
            syncTask((n) => n),
          )
          .task(
            'X',
            ['Numbers', 'More'],
            { join: 'aligned', optional: ['Numbers', 'More'] },
            syncTask((n) => n),
          ),
    });
    expect(() => workflow.plan()).toThrow("Task 'X' calls all of its dependencies optional");
  });

  it('makes its dead letters final, because the record was emitted without it', () => {
    const workflow = defineWorkflow({
      name: 'W',
      build: (flow) =>
        flow
          .task('Numbers', numbers)
          .task('Enrich', ['Numbers'], odd())
          .task('Keep', ['Numbers', 'Enrich'], { join: 'aligned', optional: ['Enrich'] }, odd() as never),
    });
    const letter = (task: string) => ({ task, lineage: { root: 'Numbers', partition: 0, number: 1 } });
    const canRedo = workflow.redoable();
    expect([canRedo(letter('Enrich')), canRedo(letter('Keep'))]).toEqual([false, true]);
  });
});

describe('a merge of branches', () => {
  it('makes the dead letters final of a task in front of it whose record may have come by another way', () => {
    const same = () => syncTask((n: number) => n);
    const workflow = defineWorkflow({
      name: 'W',
      build: (flow) =>
        flow
          .task('Numbers', numbers)
          .task(
            'Route',
            ['Numbers'],
            branch(['even', 'odd'], (n) => (n % 2 === 0 ? 'even' : 'odd')),
          )
          .task('Ask', ['Numbers'], same())
          .task('Odd', ['Route.odd'], same())
          .task('Both', ['Ask', 'Odd'], same() as never)
          .task('Merged', ['Both', 'Route.even'], { join: 'merge' }, same() as never),
    });
    const canRedo = workflow.redoable();
    const ofTask = (task: string) => canRedo({ task, lineage: { root: 'Numbers', partition: 0, number: 2 } });
    // Each even record went around 'Ask'. An odd one waits for it.
    expect(['Ask', 'Odd', 'Both', 'Merged'].map(ofTask)).toEqual([false, true, true, true]);
  });
});

describe('a merge of several sources', () => {
  it('takes each record of each once, with the name of where it came from', async () => {
    const { records, summary } = await outputsOf('All', (flow) =>
      flow
        .task('Mails', sourceTask(['a', 'b']))
        .task('Calls', sourceTask([1, 2, 3]))
        .task(
          'All',
          ['Mails', 'Calls'],
          { join: 'merge', labelled: true },
          syncTask(({ from, record }) => `${from} ${record}`),
        ),
    );
    expect(records.sort()).toEqual(['Calls 1', 'Calls 2', 'Calls 3', 'Mails a', 'Mails b']);
    expect(summary.tasks['All']).toMatchObject({ in: 5, out: 5 });
  });
});
