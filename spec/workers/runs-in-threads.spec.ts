/** A thread loads the module of its function, which may be the script that starts the run. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ThreadExecutor } from '#lib/workers/thread-executor.js';
import { negate } from './modules/runs-later.js';
import { times, tooLate, triple } from './modules/runs-itself.js';
import { runJob } from './support/job-runner.js';

let executor: ThreadExecutor;
beforeEach(() => {
  executor = new ThreadExecutor({ threads: 2 });
});
afterEach(async () => {
  await executor.close();
});

describe('a module that also starts a run', () => {
  const records = Array.from({ length: 200 }, (_, n) => n);
  it.each([
    ['a function', triple, 3],
    ['a factory', times(4), 4],
    ['a function of a module that runs a moment later', negate, -1],
  ])('gives a thread %s, and the run does not start there', async (_, work, factor) => {
    const { outcomes } = await runJob(executor, [work], records);
    expect(outcomes.map(({ output }) => output)).toEqual(records.map((n) => factor * n));
    expect(executor.stats().replaced).toBe(0);
  });

  it('gives several functions to one thread', async () => {
    const { outcomes } = await runJob(executor, [triple, times(2), triple], [1, 2]);
    expect(outcomes.map(({ output }) => output)).toEqual([18, 36]);
  });

  it('fails the job if it runs before it defines the function', async () => {
    await expect(runJob(executor, [tooLate], [1])).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: expect.stringContaining("starts a run before it defines 'tooLate'") as unknown,
    });
  });
});
