/** A thread loads the module of its function, which may be the script that starts the run. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ThreadExecutor } from '#lib/workers/thread-executor.js';
import { negate } from './modules/runs-later.js';
import { times, tooLate, triple } from './modules/runs-itself.js';
import { runWorkload } from './support/workload-runner.js';

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
    const { outcomes } = await runWorkload(executor, [work], records);
    expect(outcomes.map(({ output }) => output)).toEqual(records.map((n) => factor * n));
    expect(executor.stats().replaced).toBe(0);
  });

  it('gives several functions to one thread', async () => {
    const { outcomes } = await runWorkload(executor, [triple, times(2), triple], [1, 2]);
    expect(outcomes.map(({ output }) => output)).toEqual([18, 36]);
  });

  it('fails the workload if it runs before it defines the function', async () => {
    await expect(runWorkload(executor, [tooLate], [1])).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: expect.stringContaining("starts a run before it defines 'tooLate'") as unknown,
    });
  });
});

it.each([0, 2])(
  'a script may define the function, and wait for the run that uses it, with %i threads',
  async (threads) => {
    const folder = await mkdtemp(join(tmpdir(), 'script-'));
    try {
      const script = join(folder, 'main.mjs');
      const engine = new URL('../../../dist/index.js', import.meta.url).href;
      await writeFile(
        script,
        `import { cpuTask, defineWorkflow, sourceTask, threadFunction } from ${JSON.stringify(engine)};
export const double = threadFunction(import.meta.url, 'double', (n) => 2 * n);
const run = defineWorkflow({ name: 'One', build: (flow) => flow.task('S', sourceTask([1, 2])).task('D', ['S'], cpuTask(double)) })
  .run(undefined, { threads: ${threads} });
run.output$('D').subscribe((n) => console.log(n));
console.log((await run.finished).outcome);
`,
      );
      const { stdout } = await promisify(execFile)(process.execPath, [script], {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
      });
      expect(stdout).toBe('2\n4\ncompleted\n');
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
