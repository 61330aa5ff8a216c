import { describe, expect, it } from '@jest/globals';
import { aggregateTask, asyncTask, skip, sourceTask } from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { z } from 'zod';
import { byParity, summed } from './modules/parity.js';
import { runToEnd, task } from '../support/run-to-end.js';

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
describe('an aggregate', () => {
  it('gives one result a key, in the order in which keys first appeared', async () => {
    const { outputs, summary } = await runToEnd(
      [task('S', [], sourceTask([3, 2, 5, 4])), task('A', ['S'], aggregateTask(byParity))],
      { window: 2 },
    );
    expect(outputs['A']).toEqual(['odd 8', 'even 6']);
    expect(summary.tasks['A']).toMatchObject({ in: 4, out: 2 });
  });

  it('gives up the record that it cannot add, or the result that it cannot finish, and no other', async () => {
    const deadLetters = recordingDeadLetters();
    const fragile = aggregateTask({
      key: (n: number) => n % 3,
      init: () => [] as number[],
      add: (list: number[], n: number) => {
        if (n === 4) throw new Error('four');
        return [...list, n];
      },
      finish: (list: number[], key: number) => {
        if (key === 0) throw undefined;
        return key === 2 ? skip('twos') : list;
      },
    });
    const { outputs, summary } = await runToEnd([task('S', [], sourceTask(range(9))), task('A', ['S'], fragile)], {
      deadLetters,
    });
    expect(outputs['A']).toEqual([[1, 7]]);
    expect(deadLetters.letters.map(({ record, lineage }) => [record, lineage.root])).toEqual([
      [4, 'S'],
      [{ key: 0, state: [0, 3, 6] }, 'A'],
    ]);
    expect(summary.tasks['A']?.skipReasons).toEqual({ twos: 1 });
  });

  it.each(['init', 'add', 'finish'] as const)(
    'ends the run with an error that names `%s`, if it returns a promise',
    async (name) => {
      const functions = {
        init: (): number => 0,
        add: (sum: number, n: number): number => sum + n,
        finish: (sum: number): number => sum,
      };
      // A rejected promise that nobody handles would end the process.
      const broken = { ...functions, [name]: () => Promise.reject(new Error('too late')) };
      const run = runToEnd([task('S', [], sourceTask(range(9))), task('A', ['S'], aggregateTask(broken))]);
      await expect(run).rejects.toMatchObject({
        code: 'MILLRACE_INVALID_OPTION',
        message: expect.stringContaining(`\`${name}\` of 'A' returned a promise`),
      });
    },
  );

  it('flushes only as fast as what is downstream settles', async () => {
    let [now, most, finished] = [0, 0, 0];
    const each = aggregateTask({
      key: (n: number) => n,
      init: () => 0,
      add: (count: number) => count + 1,
      finish: (_count: number, key: number) => {
        finished++;
        return key;
      },
    });
    const slow = asyncTask(async (n: number) => {
      most = Math.max(most, ++now, finished - n);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return n;
    });
    const { outputs } = await runToEnd(
      [task('S', [], sourceTask(range(60))), task('A', ['S'], each), task('T', ['A'], slow)],
      { window: 4 },
    );
    expect([outputs['T'], most]).toEqual([range(60), 4]);
  });

  it.each([
    ['all', 10],
    ['the last', 3],
  ])('folded in parts ends although %s of its records do not fit their schema', async (_, refused) => {
    const input = z.number().max(9 - refused);
    const { outputs, summary } = await runToEnd(
      [task('S', [], sourceTask(range(10))), task('A', ['S'], aggregateTask(summed, { input }))],
      { threads: 0, signal: AbortSignal.timeout(3000) },
    );
    expect([summary.outcome, summary.deadLettered, outputs['A']?.length]).toEqual([
      'completed',
      refused,
      refused === 10 ? 0 : 2,
    ]);
  });

  it.each([
    ['all', 10],
    ['the last', 3],
  ])('folded in threads ends although %s of its records do not fit their schema', async (_, refused) => {
    const input = z.number().max(9 - refused);
    const { summary } = await runToEnd(
      [task('S', [], sourceTask(range(10))), task('A', ['S'], aggregateTask(summed, { input }))],
      { threads: 1, window: 4, signal: AbortSignal.timeout(10_000) },
    );
    expect([summary.outcome, summary.deadLettered]).toEqual(['completed', refused]);
  });
});
