/** Tasks that run after others, as wholes: what a user sees of them. The laws are in the simulation. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  defineWorkflow,
  RecordTask,
  sinkTask,
  sourceTask,
  syncTask,
  Workflow,
  type Flow,
  type Run,
  type RunEvent,
  type RunFailedError,
  type RunOptions,
  type RunSummary,
  type TaskDeclaration,
} from 'millrace';
import { csvSink, csvSource } from 'millrace/csv';
import { memoryCheckpoints } from 'millrace/testing';

const numbers = [1, 2, 3];
const never = (): Promise<never> => new Promise(() => undefined);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rules-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function start<Outputs>(build: (flow: Flow<object>) => Flow<Outputs>, options: RunOptions = {}): Run<Outputs> {
  return defineWorkflow({ name: 'Rules', build }).run(undefined, options);
}

async function failureOf(run: Run<never>): Promise<{ summary: RunSummary; message: string }> {
  const error = await run.finished.then(
    () => undefined,
    (error: unknown) => error as RunFailedError,
  );
  return { summary: error?.summary as RunSummary, message: error?.message ?? 'it did not fail' };
}

const statusesOf = ({ tasks }: RunSummary): Record<string, string> =>
  Object.fromEntries(Object.entries(tasks).map(([name, { status }]) => [name, status]));

/** Load, and after it: Publish, Alert if it failed, Clean up in any case. `work` is done for each record. */
function pipeline(
  log: string[],
  work: (n: number) => Promise<unknown>,
  publish: () => Promise<unknown> = async () => 1,
) {
  return (flow: Flow<object>) =>
    flow
      .task('Numbers', sourceTask(numbers))
      .task('Load', ['Numbers'], asyncTask(work, { onFailure: 'fail' }))
      .task(
        'Alert',
        { after: ['Load'], when: 'failed' },
        syncTask(({ Load }) => log.push(`alert: ${Load.error?.message ?? ''}`)),
      )
      .task(
        'Publish',
        { after: ['Load'] },
        asyncTask(async ({ Load }) => {
          log.push(`publish ${Load.counts.out}`);
          return publish();
        }),
      )
      .task(
        'Clean up',
        { after: ['Load'], when: 'ended' },
        asyncTask(async ({ Load }, { signal }) => {
          log.push(`clean up after ${Load.status}${signal.aborted ? ', aborted' : ''}`);
        }),
      );
}

describe('a task that runs after others', () => {
  it('runs once they have completed, with one record of how they ended; what runs in any case comes last', async () => {
    const log: string[] = [];
    const events: RunEvent[] = [];
    const run = start(pipeline(log, async (n) => n));
    run.events$.subscribe((event) => events.push(event));
    const summary = await run.finished;
    expect(log).toEqual(['publish 3', 'clean up after completed']);
    expect(summary.outcome).toBe('completed');
    expect(summary.tasks['Publish']).toMatchObject({ status: 'completed', in: 1, out: 1 });
    expect(summary.tasks['Alert']).toMatchObject({
      status: 'skipped',
      reason: "'Alert' runs when 'Load' has failed, and none has",
      in: 0,
    });
    const incarnations = events.flatMap((event) =>
      event.type.startsWith('task-') && 'task' in event ? [`${event.task} ${event.type.slice(5)}`] : [],
    );
    expect(incarnations).toEqual([
      ...['Numbers started', 'Load started', 'Numbers ended', 'Load ended'],
      ...['Alert skipped', 'Publish started', 'Publish ended', 'Clean up started', 'Clean up ended'],
    ]);
  });

  it('runs if one of them has failed, and says why; the run fails with the first error', async () => {
    const log: string[] = [];
    const run = start(
      pipeline(log, async (n) => {
        if (n === 2) throw new Error('no disk');
        return n;
      }),
    );
    const { summary, message } = await failureOf(run as Run<never>);
    expect(message).toBe("Task 'Load' failed on record 1 of 'Numbers': no disk");
    expect(log).toEqual([`alert: ${message}`, 'clean up after failed']);
    expect(statusesOf(summary)).toEqual({
      Numbers: 'failed',
      Load: 'failed',
      Alert: 'completed',
      Publish: 'skipped',
      'Clean up': 'completed',
    });
    expect(summary.tasks['Publish']?.reason).toBe("'Publish' runs when 'Load' has completed, which has failed");
  });

  it('runs after a task that could not be opened', async () => {
    class Broken extends RecordTask<number, number> {
      override open(): void {
        throw new Error('no access');
      }
      override process(n: number): number {
        return n;
      }
    }
    const log: string[] = [];
    const run = start((flow) =>
      flow
        .task('Numbers', sourceTask(numbers))
        .task('Load', ['Numbers'], new Broken())
        .task(
          'Alert',
          { after: ['Load'], when: 'failed' },
          syncTask(({ Load }) => log.push(Load.error?.message ?? '')),
        ),
    );
    await failureOf(run as Run<never>);
    expect(log).toEqual(["Task 'Load' could not be opened: no access"]);
  });

  it('runs in any case after a run was cancelled, and its signal is its own', async () => {
    const log: string[] = [];
    const run = start(
      pipeline(log, () => {
        run.cancel();
        return never();
      }),
    ) as Run;
    const summary = await run.finished;
    expect(summary.outcome).toBe('cancelled');
    expect(log).toEqual(['clean up after cancelled']);
    expect(statusesOf(summary)).toMatchObject({ Load: 'cancelled', Publish: 'skipped', Alert: 'skipped' });
  });

  it('is ended by a second cancel, and nothing runs after it', async () => {
    const log: string[] = [];
    const run: Run = start((flow) =>
      flow
        .task('Numbers', sourceTask(numbers))
        .task(
          'Load',
          ['Numbers'],
          asyncTask(() => {
            run.cancel();
            return never();
          }),
        )
        .task(
          'Clean up',
          { after: ['Load'], when: 'ended' },
          asyncTask((_, { signal }) => {
            signal.addEventListener('abort', () => log.push('aborted'));
            run.cancel();
            return never();
          }),
        )
        .task(
          'Last',
          { after: ['Clean up'], when: 'ended' },
          syncTask(() => log.push('last')),
        ),
    );
    const summary = await run.finished;
    expect(log).toEqual(['aborted']);
    expect(statusesOf(summary)).toMatchObject({ 'Clean up': 'cancelled', Last: 'not-started' });
  });

  it('does not begin in a run that drains, unless it runs in any case', async () => {
    const log: string[] = [];
    const run = start(
      pipeline(log, async (n) => {
        run.drain();
        return n;
      }),
    ) as Run;
    const summary = await run.finished;
    expect(summary.outcome).toBe('drained');
    expect(log).toEqual(['clean up after drained']);
    expect(summary.tasks['Publish']).toMatchObject({ status: 'skipped', reason: 'the run was drained' });
  });

  it('fails the run if it fails, and what runs after its failure runs', async () => {
    const log: string[] = [];
    const run = start((flow) =>
      pipeline(
        log,
        async (n) => n,
        async () => {
          throw new Error('refused');
        },
      )(flow).task(
        'Repair',
        { after: ['Publish', 'Load'], when: 'failed' },
        syncTask(({ Publish, Load }) => log.push(`repair ${Publish.status}, ${Load.status}`)),
      ),
    );
    const { summary, message } = await failureOf(run as Run<never>);
    expect(message).toBe("Task 'Publish' failed: refused");
    expect(log).toEqual(['publish 3', 'repair failed, completed', 'clean up after completed']);
    expect(statusesOf(summary)).toMatchObject({ Load: 'completed', Publish: 'failed', Repair: 'completed' });
  });

  it('that fails after a failure leaves the first error, and adds a notice', async () => {
    const notices: string[] = [];
    const run = start((flow) =>
      flow
        .task('Numbers', sourceTask(numbers))
        .task(
          'Load',
          ['Numbers'],
          syncTask(
            () => {
              throw new Error('first');
            },
            { onFailure: 'fail' },
          ),
        )
        .task(
          'Clean up',
          { after: ['Load'], when: 'ended' },
          syncTask(() => {
            throw new Error('second');
          }),
        ),
    );
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    const { message } = await failureOf(run as Run<never>);
    expect(message).toContain('first');
    expect(notices).toEqual(["After the end of the run: Task 'Clean up' failed: second"]);
  });

  it('finds the results of the others in place, and may read them', async () => {
    const [first, second] = [join(folder, 'first.csv'), join(folder, 'second.csv')];
    const run = start((flow) =>
      flow
        .task('Numbers', sourceTask(numbers.map((n) => ({ n }))))
        .task('First', ['Numbers'], csvSink({ path: first, columns: ['n'] }))
        .task('Again', { after: ['First'] }, csvSource({ path: first }))
        .task('Second', ['Again'], csvSink({ path: second, columns: ['n'] }))
        .task(
          'Count',
          { after: ['Second'] },
          asyncTask(async ({ Second }) => `${Second.counts.in}: ${await readFile(second, 'utf8')}`),
        ),
    );
    const seen: string[] = [];
    run.output$('Count').subscribe((text) => seen.push(text));
    await run.finished;
    expect(seen).toEqual(['3: n\n1\n2\n3\n']);
  });

  it('leaves results as they are if a later phase fails', async () => {
    const path = join(folder, 'kept.csv');
    const run = start((flow) =>
      flow
        .task('Numbers', sourceTask(numbers.map((n) => ({ n }))))
        .task('Load', ['Numbers'], csvSink({ path, columns: ['n'] }))
        .task(
          'Publish',
          { after: ['Load'] },
          asyncTask(async () => {
            throw new Error(existsSync(path) ? 'refused' : 'not there');
          }),
        ),
    );
    const { message } = await failureOf(run as Run<never>);
    expect(message).toBe("Task 'Publish' failed: refused");
    expect(existsSync(path)).toBe(true);
  });
});

describe('a resumed run', () => {
  /** Runs the pipeline, whose Publish is `publish`; counts how often the source is read. */
  const attempt = (
    kept: ReturnType<typeof memoryCheckpoints>,
    log: string[],
    publish: () => Promise<unknown>,
    cleanUp: () => Promise<unknown> = async () => 1,
  ): Run =>
    start(
      (flow) =>
        flow
          .task(
            'Numbers',
            sourceTask(() => {
              log.push('read');
              return numbers;
            }),
          )
          .task(
            'Load',
            ['Numbers'],
            sinkTask(() => undefined),
          )
          .task(
            'Publish',
            { after: ['Load'] },
            asyncTask(({ Load }) => {
              log.push(`publish ${Load.counts.in}`);
              return publish();
            }),
          )
          .task(
            'Clean up',
            { after: ['Publish'], when: 'ended' },
            asyncTask(({ Publish }) => {
              log.push(`clean up after ${Publish.status}`);
              return cleanUp();
            }),
          ),
      { checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) },
    );

  it('runs again what was in flight when the process died, and nothing that had ended before', async () => {
    const kept = memoryCheckpoints();
    const log: string[] = [];
    const reached = await new Promise<Run>((resolve) => {
      const run = attempt(kept, log, () => {
        resolve(run);
        return never();
      });
    });
    expect(kept.last?.ended).toMatchObject({ Numbers: { out: 3 }, Load: { in: 3 } });
    // The first process writes nothing more: the second one has begun.
    const second = attempt(kept, log, async () => 'done');
    const summary = await second.finished;
    expect(log).toEqual(['read', 'publish 3', 'publish 3', 'clean up after completed']);
    expect(statusesOf(summary)).toEqual({
      Numbers: 'completed',
      Load: 'completed',
      Publish: 'completed',
      'Clean up': 'completed',
    });
    expect(kept.last?.isComplete).toBe(true);
    reached.cancel();
    await reached.finished;
  });

  it('does not run again what has run by its rule', async () => {
    const kept = memoryCheckpoints();
    const log: string[] = [];
    const reached = await new Promise<Run>((resolve) => {
      const run = attempt(
        kept,
        log,
        async () => 'done',
        () => {
          resolve(run);
          return never();
        },
      );
    });
    const summary = await attempt(kept, log, never).finished;
    expect(log).toEqual(['read', 'publish 3', 'clean up after completed', 'clean up after completed']);
    expect(summary.outcome).toBe('completed');
    reached.cancel();
    await reached.finished;
  });

  it('runs again at its own end what ran because the one before had failed', async () => {
    const kept = memoryCheckpoints();
    const log: string[] = [];
    await failureOf(
      attempt(kept, log, async () => {
        throw new Error('refused');
      }) as Run<never>,
    );
    await attempt(kept, log, async () => 'done').finished;
    expect(log).toEqual([
      ...['read', 'publish 3', 'clean up after failed'],
      ...['publish 3', 'clean up after completed'],
    ]);
  });

  it('is refused if a rule has changed', async () => {
    const kept = memoryCheckpoints();
    await attempt(kept, [], async () => 'done').finished;
    const changed = (flow: Flow<object>) =>
      flow.task('Numbers', sourceTask(numbers)).task(
        'Load',
        ['Numbers'],
        sinkTask(() => undefined),
      );
    expect(() => start(changed, { checkpoints: kept.begin(), resumeFrom: kept.last as never })).toThrow(
      "task 'Publish' was removed",
    );
  });
});

describe('a rule', () => {
  const source = (name: string, more: Partial<TaskDeclaration> = {}): TaskDeclaration => ({
    name,
    dependencies: [],
    task: sourceTask([1]),
    ...more,
  });
  const step = (name: string, dependencies: string[], more: Partial<TaskDeclaration> = {}): TaskDeclaration => ({
    name,
    dependencies,
    task: syncTask((n) => n),
    ...more,
  });
  const planned = (...tasks: TaskDeclaration[]) => new Workflow({ name: 'W', tasks: () => tasks }).plan().plan;

  it('divides a graph into phases: what runs in any case comes after all else that can run', () => {
    const { phases } = planned(
      ...[source('A'), step('B', ['A']), source('Other'), step('Sink', ['Other'])],
      step('Clean up', [], { after: ['B'], when: 'ended' }),
      ...[source('C', { after: ['B'] }), step('D', ['C']), step('E', [], { after: ['D', 'Sink'] })],
      step('F', [], { after: ['Clean up'] }),
    );
    expect(phases.map(({ parts }) => parts.map(({ tasks }) => tasks.join(' ')))).toEqual([
      ['A B', 'Other Sink'],
      ['C D'],
      ['E'],
      ['Clean up'],
      ['F'],
    ]);
  });

  it.each([
    ['a task that does not exist', [step('X', [], { after: ['Lod'] })], "which does not exist. Did you mean 'Load'?"],
    [
      'dependencies beside it',
      [step('X', ['A'], { after: ['Load'] })],
      'has dependencies too. Let the source of its records run after them instead',
    ],
    ['no task', [step('X', [], { after: [] })], "Expected `after` of 'X' to name the tasks that it runs after, got"],
    [
      'another condition',
      [step('X', [], { after: ['Load'], when: 'done' as never })],
      "Expected `when` of the rule of 'X' to be 'completed', 'ended' or 'failed'",
    ],
    ['a circle', [step('X', [], { after: ['Y'] }), step('Y', ['X'])], 'in a circle: '],
    [
      'a task that hands records to the same task',
      [source('X', { after: ['Load'] }), step('Y', ['A', 'X'], { join: { join: 'all' } })],
      "Task 'X' runs after 'Load', which cannot end before 'X' has started",
    ],
    ['a join', [step('X', [], { after: ['Load'], join: { join: 'all' } })], 'to have no join'],
  ])('with %s is refused', (_, tasks, message) => {
    expect(() => planned(source('A'), step('Load', ['A']), ...tasks)).toThrow(message);
  });
});
