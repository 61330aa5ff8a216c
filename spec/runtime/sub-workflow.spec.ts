/** Workflows as tasks of others. */
import { describe, expect, it } from '@jest/globals';
import { asyncTask, branch, defineWorkflow, expandTask, sourceTask, subWorkflow, syncTask, Workflow } from 'millrace';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import { z } from 'zod';
import { outputsOf } from '../support/outputs-of.js';

/** Doubles and labels: has branches, a merge with labels, an optional partner and a rule, whose names are its own. */
const Scoring = defineWorkflow({
  name: 'Scoring',
  config: z.object({ factor: z.number() }),
  build: (flow, { factor }) =>
    flow
      .task('Members', sourceTask<number>([]))
      .task(
        'Score',
        ['Members'],
        asyncTask(async (n) => {
          if (n === 13) throw new Error('unlucky');
          return n * factor;
        }),
      )
      .task(
        'Route',
        ['Score'],
        branch(['high', 'low'], (n) => (n > 10 ? 'high' : 'low')),
      )
      .task(
        'Either',
        ['Route.high', 'Route.low'],
        { join: 'merge', labelled: true },
        syncTask(({ from, record }) => `${from}: ${record}`),
      )
      .task(
        'Best',
        ['Members', 'Either', 'Route.high'],
        { join: 'aligned', optional: ['Route.high'] },
        syncTask(([n, text, high]) => `${n} ${text}${high === undefined ? '' : '!'}`),
      )
      .task(
        'Ended',
        { after: ['Best'] },
        syncTask(({ Best }) => Best.counts.out),
      ),
});

describe('a sub-workflow', () => {
  it('is one branch of the outer graph, with its tasks in every view', async () => {
    const deadLetters = recordingDeadLetters();
    const { records, summary } = await outputsOf(
      'Show',
      (flow) =>
        flow
          .task('Numbers', sourceTask([1, 13, 7]))
          .task('Twice', ['Numbers'], subWorkflow(Scoring, { input: 'Members', output: 'Best', config: { factor: 2 } }))
          .task(
            'Thrice',
            ['Numbers'],
            subWorkflow(Scoring, { input: 'Members', output: 'Best', config: { factor: 3 } }),
          )
          .task(
            'Show',
            ['Twice', 'Thrice'],
            syncTask(([two, three]) => [two, three]),
          ),
      { deadLetters },
    );
    expect(records.sort()).toEqual([
      ['1 Route.low: 2', '1 Route.low: 3'],
      ['7 Route.high: 14!', '7 Route.high: 21!'],
    ]);
    expect(Object.keys(summary.tasks)).toEqual(
      expect.arrayContaining(['Twice', 'Twice/Members', 'Twice/Score', 'Thrice/Best', 'Thrice/Ended']),
    );
    expect(summary.tasks['Twice']).toMatchObject({ kind: 'sub-workflow', out: 2 });
    expect(summary.tasks['Twice/Ended']).toMatchObject({ status: 'completed', out: 1 });
    expect(deadLetters.letters.map(({ task }) => task).sort()).toEqual(['Thrice/Score', 'Twice/Score']);
  });

  it('may give one of its named outputs, and contain further ones', async () => {
    const Outer = defineWorkflow({
      name: 'Outer',
      build: (flow) =>
        flow
          .task('In', sourceTask<number>([]))
          .task(
            'Each',
            ['In'],
            expandTask((n) => [n, n + 10]),
          )
          .task(
            'Inner',
            ['Each'],
            subWorkflow(Scoring, { input: 'Members', output: 'Route.high', config: { factor: 1 } }),
          )
          .task(
            'Keep',
            ['Inner', 'Each'],
            syncTask(([high, n]) => high + n),
          )
          .task(
            'Low',
            ['Each'],
            syncTask((n) => n),
          ),
    });
    const { records, summary } = await outputsOf('Show', (flow) =>
      flow
        .task('Numbers', sourceTask([1, 5]))
        .task('Sub', ['Numbers'], subWorkflow(Outer, { input: 'In', output: 'Keep' }))
        .task(
          'Show',
          ['Sub'],
          syncTask((n) => n),
        ),
    );
    expect(records.sort()).toEqual([22, 30]);
    expect(summary.tasks['Sub/Inner/Route']).toMatchObject({ outputs: { high: 2, low: 2 } });
  });

  it('is resumed as the tasks that it stands for', async () => {
    const kept = memoryCheckpoints();
    const calls: number[] = [];
    let mayEnd = false;
    const Calls = defineWorkflow({
      name: 'Calls',
      build: (flow) =>
        flow.task('In', sourceTask<number>([])).task(
          'Call',
          ['In'],
          asyncTask(
            async (n) => {
              calls.push(n);
              await new Promise((done) => setImmediate(done));
              if (n === 3 && !mayEnd) throw new Error('down');
              return n;
            },
            { concurrency: 1, onFailure: 'fail' },
          ),
        ),
    });
    const Outer = defineWorkflow({
      name: 'Outer',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([1, 2, 3, 4]))
          .task('Sub', ['Numbers'], subWorkflow(Calls, { input: 'In', output: 'Call' })),
    });
    await expect(Outer.run(undefined, { checkpoints: kept.begin() }).finished).rejects.toThrow("'Sub/Call' failed");
    mayEnd = true;
    await Outer.run(undefined, { checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) }).finished;
    expect(calls).toEqual([1, 2, 3, 3, 4]);
  });

  it.each([
    ['no source in place of the input', { input: 'Score', output: 'Best' }, 'another task'],
    ['an input that does not exist', { input: 'Member', output: 'Best' }, "Did you mean 'Members'?"],
    [
      'an output that does not exist',
      { input: 'Members', output: 'Bst' },
      "which does not exist. Did you mean 'Sub/Best'?",
    ],
  ])('with %s is refused', (_, options, message) => {
    const workflow = defineWorkflow({
      name: 'Outer',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([1]))
          .task('Sub', ['Numbers'], subWorkflow(Scoring, { ...options, config: { factor: 1 } } as never)),
    });
    expect(() => workflow.plan()).toThrow(message);
  });

  it('ends with all of its tasks: what runs after it runs after those that run by rules inside of it', async () => {
    const log: string[] = [];
    const Inner = defineWorkflow({
      name: 'Inner',
      build: (flow) =>
        flow
          .task('In', sourceTask<number>([]))
          .task(
            'Out',
            ['In'],
            syncTask((n) => n),
          )
          .task(
            'Alert',
            { after: ['Out'], when: 'failed' },
            syncTask(() => log.push('alert')),
          )
          .task(
            'Publish',
            { after: ['Out'] },
            asyncTask(async () => log.push('publish')),
          )
          .task(
            'Clean up',
            { after: ['Publish'], when: 'ended' },
            asyncTask(async () => {
              log.push('clean up');
              if (log.includes('fail')) throw new Error('refused');
            }),
          ),
    });
    const Outer = defineWorkflow({
      name: 'Outer',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([1, 2]))
          .task('Sub', ['Numbers'], subWorkflow(Inner, { input: 'In', output: 'Out' }))
          .task(
            'Then',
            { after: ['Sub'] },
            syncTask(({ Sub }) => log.push(`then: ${Sub.status} ${Sub.counts.out}`)),
          )
          .task(
            'Repair',
            { after: ['Sub'], when: 'failed' },
            syncTask(({ Sub }) => log.push(`repair: ${Sub.error?.message ?? ''}`)),
          ),
    });
    await Outer.run().finished;
    expect(log.splice(0)).toEqual(['publish', 'clean up', 'then: completed 2']);
    log.push('fail');
    await expect(Outer.run().finished).rejects.toThrow("'Sub/Clean up' failed: refused");
    expect(log).toEqual(['fail', 'publish', 'clean up', "repair: Task 'Sub/Clean up' failed: refused"]);
  });

  it('is refused if its input runs after another task, because its rule would be lost', () => {
    const Late = defineWorkflow({
      name: 'Late',
      build: (flow) =>
        flow
          .task('First', sourceTask([1]))
          .task(
            'Load',
            ['First'],
            syncTask((n) => n),
          )
          .task('In', { after: ['Load'] }, sourceTask<number>([]))
          .task(
            'Out',
            ['In'],
            syncTask((n) => n),
          ),
    });
    const Outer = defineWorkflow({
      name: 'Outer',
      build: (flow) =>
        flow
          .task('Numbers', sourceTask([1]))
          .task('Sub', ['Numbers'], subWorkflow(Late, { input: 'In', output: 'Out' })),
    });
    expect(() => Outer.plan()).toThrow("'In', which runs after 'Load' in workflow 'Late'");
  });

  it('that contains itself is refused', () => {
    const Snake: Workflow = new Workflow({
      name: 'Snake',
      tasks: () => [
        { name: 'In', dependencies: [], task: sourceTask([1]) },
        {
          name: 'Tail',
          dependencies: ['In'],
          task: subWorkflow(Snake, { input: 'In', output: 'Tail' }),
        },
      ],
    });
    expect(() => Snake.plan()).toThrow("Workflow 'Snake' contains itself, as 'Tail'");
  });
});
