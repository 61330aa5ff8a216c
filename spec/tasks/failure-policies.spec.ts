import { describe, expect, it } from '@jest/globals';
import { sourceTask, syncTask } from 'millrace';
import { runToEnd, task } from '../support/run-to-end.js';

describe('failure policies', () => {
  const fragile = (onFailure: never): Promise<Awaited<ReturnType<typeof runToEnd>>> =>
    runToEnd([
      task('S', [], sourceTask([1, 0, 2])),
      task(
        'T',
        ['S'],
        syncTask(
          (n: number): number => {
            if (n === 0) throw undefined;
            return n;
          },
          { onFailure },
        ),
      ),
    ]);

  it.each([
    ['dead-letter', [1, 2], 1, 0],
    ['skip', [1, 2], 0, 1],
    [{ fallback: 7 }, [1, 7, 2], 0, 0],
    [{ fallback: (record: unknown) => Number(record) - 1 }, [1, -1, 2], 0, 0],
  ] as const)('%j does what it says, also for `throw undefined`', async (policy, outputs, deadLettered, skipped) => {
    const ended = await fragile(policy as never);
    expect(ended.outputs['T']).toEqual(outputs);
    expect([ended.summary.deadLettered, ended.summary.skipped]).toEqual([deadLettered, skipped]);
    expect(ended.summary.tasks['T']?.failed).toBe(1);
  });
});
