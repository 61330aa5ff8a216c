/**
 * The moments at which a run with rules may end: before, between and while phases are opened and closed, and after its
 * end.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  defineWorkflow,
  RecordTask,
  sinkTask,
  sourceTask,
  syncTask,
  type Flow,
  type Run,
  type RunFailedError,
  type RunOptions,
  type RunSummary,
} from 'millrace';
import { connectorSink, type Sink } from 'millrace/connect';
import { deadLetterFile } from 'millrace/storage';
import type { CheckpointStore } from '#lib/model/checkpoint.js';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';

const never = (): Promise<never> => new Promise(() => undefined);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start<Outputs>(build: (flow: Flow<object>) => Flow<Outputs>, options: RunOptions = {}): Run {
  return defineWorkflow({ name: 'Ends', build }).run(undefined, options);
}

/** The summary of a run, also if it failed. */
const endOf = (run: Run): Promise<RunSummary> =>
  run.finished.catch((error: unknown) => (error as RunFailedError).summary);

/** Emits numbers until it is stopped, one per turn of the event loop. */
async function* endless(): AsyncGenerator<number> {
  for (let n = 0; ; n++) {
    await turn();
    yield n;
  }
}

/** A sink that calls `close` when it is closed. */
const closing = (close: (outcome: string) => unknown): Sink<unknown> => ({
  open: () => undefined,
  write: () => undefined,
  close: async (outcome) => {
    await close(outcome);
  },
});

class Opening extends RecordTask<unknown, unknown> {
  private readonly opens: () => unknown;
  constructor(opens: () => unknown) {
    super();
    this.opens = opens;
  }
  override async open(): Promise<void> {
    await this.opens();
  }
  override process(record: unknown): unknown {
    return record;
  }
}

const kept = (): RunOptions => ({ checkpoints: memoryCheckpoints().begin() });

describe.each([
  ['that keeps its progress', kept],
  ['that keeps nothing', (): RunOptions => ({})],
])('a drain of a run %s ends sources that are not connected yet', (_, options) => {
  it('before the run has started', async () => {
    const run = start(
      (flow) =>
        flow.task('Endless', sourceTask(endless)).task(
          'Sink',
          ['Endless'],
          sinkTask(() => undefined),
        ),
      options(),
    );
    run.drain();
    expect((await run.finished).outcome).toBe('drained');
  });

  it('while the tasks open', async () => {
    const run: Run = start(
      (flow) =>
        flow.task('Endless', sourceTask(endless)).task(
          'Open',
          ['Endless'],
          new Opening(() => {
            run.drain();
          }),
        ),
      options(),
    );
    expect((await run.finished).outcome).toBe('drained');
  });

  it('while a phase is closed, and the next one does not begin', async () => {
    const run: Run = start(
      (flow) =>
        flow
          .task('One', sourceTask([1]))
          .task(
            'Load',
            ['One'],
            connectorSink(
              closing(() => {
                run.drain();
              }),
            ),
          )
          .task('Endless', { after: ['Load'] }, sourceTask(endless))
          .task(
            'Copy',
            ['Endless'],
            sinkTask(() => undefined),
          ),
      options(),
    );
    const { outcome, tasks } = await run.finished;
    expect([outcome, tasks['Load']?.status, tasks['Copy']?.status]).toEqual(['drained', 'completed', 'skipped']);
  });

  it('while the next phase opens', async () => {
    const run: Run = start(
      (flow) =>
        flow
          .task('One', sourceTask([1]))
          .task(
            'Load',
            ['One'],
            sinkTask(() => undefined),
          )
          .task('Endless', { after: ['Load'] }, sourceTask(endless))
          .task(
            'Copy',
            ['Endless'],
            new Opening(() => {
              run.drain();
            }),
          ),
      options(),
    );
    expect((await run.finished).outcome).toBe('drained');
  });
});

describe('a run that ends while a finished phase is closed', () => {
  const build = (log: string[], run: () => Run, stop: (run: Run) => void) => (flow: Flow<object>) =>
    flow
      .task('One', sourceTask([1]))
      .task(
        'Load',
        ['One'],
        connectorSink(
          closing(async () => {
            stop(run());
            // Longer than a drain takes to see that nothing moves.
            await new Promise((resolve) => setTimeout(resolve, 100));
          }),
        ),
      )
      .task(
        'Clean up',
        { after: ['Load'], when: 'ended' },
        syncTask(({ Load }) => log.push(Load.status)),
      );

  it('has completed this phase, if it is cancelled', async () => {
    const log: string[] = [];
    const run: Run = start(build(log, () => run, (each) => { each.cancel(); })); // prettier-ignore
    const { outcome, tasks } = await run.finished;
    expect([outcome, tasks['Load']?.status, log]).toEqual(['cancelled', 'completed', ['completed']]);
  });

  it('has completed and recorded this phase, if it drains', async () => {
    const log: string[] = [];
    const checkpoints = memoryCheckpoints();
    const run: Run = start(build(log, () => run, (each) => { each.drain(); }), { checkpoints: checkpoints.begin() }); // prettier-ignore
    const { outcome } = await run.finished;
    expect([outcome, log]).toEqual(['drained', ['completed']]);
    expect(checkpoints.last?.ended).toMatchObject({ Load: { in: 1 } });
  });
});

describe('what runs after the end of a run', () => {
  it('does not begin if the run is cancelled a second time before', async () => {
    const log: string[] = [];
    const run: Run = start((flow) =>
      flow
        .task('One', sourceTask([1]))
        .task(
          'Load',
          ['One'],
          asyncTask(() => {
            run.cancel();
            run.cancel();
            return never();
          }),
        )
        .task(
          'Clean up',
          { after: ['Load'], when: 'ended' },
          syncTask(() => log.push('clean up')),
        ),
    );
    const { outcome, tasks } = await run.finished;
    expect([outcome, tasks['Clean up']?.status, log]).toEqual(['cancelled', 'not-started', []]);
  });

  it('is not connected after it has failed while it opened', async () => {
    const log: string[] = [];
    const letters = recordingDeadLetters();
    let breaks: (error: unknown) => void = () => undefined;
    const whenBroken = (listener: typeof breaks): void => {
      breaks = listener;
    };
    const run = start(
      (flow) =>
        flow
          .task('One', sourceTask([1]))
          .task('Load', ['One'], new Opening(() => Promise.reject(new Error('no access'))))
          .task(
            'Clean up',
            { after: ['Load'], when: 'ended' },
            syncTask(() => log.push('clean up')),
          )
          .task(
            'More',
            ['Clean up'],
            new Opening(() => {
              breaks(new Error('the letters are broken'));
            }),
          ),
      { deadLetters: { ...letters, whenBroken } },
    );
    const { error, tasks } = await endOf(run);
    expect(error?.message).toContain('no access');
    expect([tasks['Clean up']?.status, log]).toEqual(['not-started', []]);
  });

  it('is not opened after it was cancelled while it was checked', async () => {
    const log: string[] = [];
    class Checked extends Opening {
      override async check(): Promise<void> {
        await turn();
        run.cancel();
        await turn();
      }
      override close(): void {
        log.push('closed');
      }
    }
    const run: Run = start((flow) =>
      flow
        .task('One', sourceTask([1]))
        .task('Load', ['One'], new Opening(() => Promise.reject(new Error('no access'))))
        .task('Clean up', { after: ['Load'], when: 'ended' }, new Checked(() => log.push('opened'))),
    );
    await endOf(run);
    expect(log).toEqual(['closed']);
  });

  it('ends with its run when another process takes the run over', async () => {
    const log: string[] = [];
    let lose: (error: unknown) => void = () => undefined;
    const checkpoints: CheckpointStore = {
      ...memoryCheckpoints().begin(),
      whenLost: (listener) => {
        lose = listener;
      },
    };
    const run = start(
      (flow) =>
        flow
          .task('One', sourceTask([1]))
          .task(
            'Load',
            ['One'],
            syncTask(() => Promise.reject(new Error('no')) as never, { onFailure: 'fail' }),
          )
          .task(
            'Clean up',
            { after: ['Load'], when: 'ended' },
            asyncTask(() => {
              log.push('clean up');
              lose(new Error('taken over'));
              return never();
            }),
          )
          .task(
            'Last',
            { after: ['Clean up'], when: 'ended' },
            syncTask(() => log.push('last')),
          ),
      { checkpoints },
    );
    const { tasks } = await endOf(run);
    expect([tasks['Clean up']?.status, log]).toEqual(['cancelled', ['clean up']]);
  });

  it('writes under a name of its own, so a table that knows its rows takes it again in the next incarnation', async () => {
    const checkpoints = memoryCheckpoints();
    const stored = new Set<string>();
    const rows: unknown[] = [];
    const idOf = (root: string, number: number): string => `${root} ${number}`;
    const table = (): Sink<unknown> => ({
      open: () => ({ has: ({ root, number }) => stored.has(idOf(root, number)) }),
      write: (some) => {
        some.numbers.forEach((number) => stored.add(idOf(some.root, number)));
        rows.push(...some.rows);
      },
    });
    const attempt = (): Promise<RunSummary> =>
      endOf(
        start(
          (flow) =>
            flow
              .task('One', sourceTask([1]))
              .task(
                'Load',
                ['One'],
                asyncTask(() => Promise.reject(new Error('no')), { onFailure: 'fail' }),
              )
              .task(
                'Alert',
                { after: ['Load'], when: 'failed' },
                syncTask(({ Load }) => Load.status),
              )
              .task('Table', ['Alert'], connectorSink(table())),
          { checkpoints: checkpoints.begin(), ...(checkpoints.last && { resumeFrom: checkpoints.last }) },
        ),
      );
    await attempt();
    await attempt();
    expect(rows).toEqual(['failed', 'failed']);
  });
});

describe('the sinks of a phase', () => {
  const refusing = (log: string[]): Sink<unknown> => ({
    check: () => {
      throw new Error('no folder');
    },
    open: () => {
      log.push('open');
      return undefined;
    },
    write: () => undefined,
  });

  it.each([
    ['the phases before have their results', 'completed', false],
    ['the run has failed', 'ended', true],
  ] as const)('are checked before any task of it opens, when %s', async (_, when, fails) => {
    const log: string[] = [];
    const run = start((flow) =>
      flow
        .task('One', sourceTask([1]))
        .task(
          'Load',
          ['One'],
          syncTask(
            () => {
              if (fails) throw new Error('first');
            },
            { onFailure: 'fail' },
          ),
        )
        .task('Rows', { after: ['Load'], when }, sourceTask([1]))
        .task('Open', ['Rows'], new Opening(() => log.push('open')))
        .task('Refusing', ['Open'], connectorSink(refusing(log))),
    );
    const notices: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    const { error } = await endOf(run);
    expect([error?.message, ...notices].join()).toContain("Task 'Refusing' could not be opened: no folder");
    expect(log).toEqual([]);
  });
});

/** Nothing keeps the state of joins, so a resumed run would repeat them and all that is behind them. */
const withoutState = ({ incarnation, read, write }: CheckpointStore): CheckpointStore => ({ incarnation, read, write });

it('the dead letters of a phase that has ended stay when the run is resumed, also where their numbers are not the same again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rules-ends-'));
  try {
    const path = join(folder, 'letters.ndjson');
    const checkpoints = memoryCheckpoints();
    const attempt = (publish: () => Promise<unknown>): Run =>
      start(
        (flow) =>
          flow
            .task('Numbers', sourceTask([1, 2, 3]))
            .task('Setting', sourceTask(['on']))
            .task(
              'Load',
              ['Numbers', 'Setting'],
              { join: 'latest' },
              syncTask(([n]) => {
                if (n === 3) throw new Error('odd');
              }),
            )
            .task('Publish', { after: ['Load'] }, asyncTask(publish)),
        {
          checkpoints: withoutState(checkpoints.begin()),
          deadLetters: deadLetterFile(path),
          ...(checkpoints.last && { resumeFrom: checkpoints.last }),
        },
      );
    await endOf(attempt(() => Promise.reject(new Error('refused'))));
    await attempt(async () => 'done').finished;
    const letters = (await readFile(path, 'utf8')).trim().split('\n');
    expect(letters.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(['odd']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
