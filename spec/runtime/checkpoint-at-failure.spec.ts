/** A run that fails writes one checkpoint more, so that a resumed run repeats only what was in flight. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  sinkTask,
  sourceTask,
  syncTask,
  type Run,
  type RunEvent,
} from 'millrace';
import { FatalTaskError } from 'millrace/connect';
import { csvSink } from 'millrace/csv';
import { memoryCheckpoints, virtualClock, type MemoryCheckpoints } from 'millrace/testing';

const numbers = Array.from({ length: 100 }, (_, index) => index);
const wrong = (): never => {
  throw new FatalTaskError('MILLRACE_TASK', 'the whole task is wrong');
};

let folder = '';
let clock = virtualClock();
/** Where the first incarnation fails; nowhere if undefined. */
let fault: string | undefined;
let called: number[] = [];
let written: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-failure-'));
  called = [];
  written = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const failsAt = (place: string, n: number): boolean => fault === place && n === 50;

const flowTo = (path: string) =>
  defineWorkflow({
    name: 'Fails',
    build: (graph) =>
      graph
        .task('Numbers', sourceTask(numbers))
        .task(
          'Call',
          ['Numbers'],
          asyncTask(
            async (n: number) => {
              called.push(n);
              await new Promise<void>((resolve) => {
                clock.schedule(1, resolve);
              });
              return failsAt('Call', n) ? wrong() : n;
            },
            { concurrency: 4 },
          ),
        )
        .task('File', ['Call'], csvSink({ path, columns: ['n'], row: (n: number) => ({ n }) }))
        .task(
          'Check',
          ['Call'],
          syncTask((n: number) => (failsAt('Check', n) ? wrong() : n)),
        )
        .task(
          'Write',
          ['Check'],
          sinkTask((n: number) => {
            written.push(n);
          }),
        )
        .task(
          'Sum',
          ['Call'],
          aggregateTask({
            key: () => 'all',
            init: () => 0,
            add: (sum: number, n: number) => (failsAt('Sum', n) ? wrong() : sum + n),
            finish: (sum) => sum,
          }),
        ),
  });

async function live(
  kept: MemoryCheckpoints,
  onStart?: (run: Pick<Run, 'events$' | 'cancel'>) => void,
): Promise<{ end: unknown; events: RunEvent[] }> {
  clock = virtualClock();
  const from = kept.last && { resumeFrom: kept.last };
  const run = flowTo(join(folder, 'out.csv')).run(undefined, { clock, checkpoints: kept.begin(), window: 8, ...from });
  const events: RunEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  onStart?.(run);
  const end = await clock.runUntil(run.finished).then(
    ({ outcome }) => outcome,
    (error: unknown) => error,
  );
  return { end, events };
}

const checkpointsIn = (events: readonly RunEvent[]): number =>
  events.filter(({ type }) => type === 'checkpoint').length;

describe('a run that fails', () => {
  it.each(['Call', 'Check'])('repeats only what was in flight when it is resumed (%s fails)', async (place) => {
    const kept = memoryCheckpoints();
    fault = place;
    expect((await live(kept)).end).toMatchObject({ message: 'the whole task is wrong' });
    expect(called.length).toBeGreaterThan(50);
    fault = undefined;
    called = [];
    expect((await live(kept)).end).toBe('completed');
    expect(Math.min(...called)).toBeGreaterThanOrEqual(50 - 8);
    expect([...written].sort((a, b) => a - b)).toEqual(numbers);
    const rows = readFileSync(join(folder, 'out.csv'), 'utf8').trim().split('\n').slice(1).map(Number);
    expect(rows.sort((a, b) => a - b)).toEqual(numbers);
  });

  it('writes no checkpoint more where a task with state has failed, because it may have accepted half of a batch', async () => {
    fault = 'Sum';
    const { end, events } = await live(memoryCheckpoints());
    expect(end).toMatchObject({ message: 'the whole task is wrong' });
    expect(checkpointsIn(events)).toBe(1);
  });

  it('starts no further call while the checkpoint is written, and reports the failure also if it is cancelled then', async () => {
    fault = 'Check';
    const kept = memoryCheckpoints();
    let atFailure = 0;
    const { end, events } = await live(kept, (run) => {
      run.events$.subscribe((event) => {
        if (event.type !== 'checkpoint' || called.length === 0) return;
        atFailure = called.length;
        run.cancel();
      });
    });
    expect(end).toMatchObject({ message: 'the whole task is wrong' });
    expect(checkpointsIn(events)).toBe(2);
    expect(called).toHaveLength(atFailure);
  });
});
