/** What every executor owes: the same results, whether it works inline or in threads. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MillraceError } from '#lib/model/errors.js';
import type { Chunk, ChunkResult, Executor } from '#lib/execution/executor.js';
import { seededRandom } from '#lib/execution/random.js';
import { CustomError, failures } from '../workers/modules/failures.js';
import * as numbers from '../workers/modules/numbers.js';
import { sums, sumsOfParts } from '../workers/modules/sums.js';
import { refOf, runWorkload } from '../workers/support/workload-runner.js';

const FALSY = [0, -0, '', false, null, undefined, NaN, 0n];

export function executorContract(name: string, make: () => Executor): void {
  describe(`${name} keeps the contract of executors`, () => {
    let executor: Executor;
    beforeEach(() => {
      executor = make();
    });
    afterEach(async () => {
      await executor.close();
    });

    it.each([1, 2, 1000, 20_000])('answers each of %i records once', async (count) => {
      const records = Array.from({ length: count }, (_, n) => n);
      const { outcomes, answers } = await runWorkload(executor, [numbers.double], records);
      expect(answers.every((times) => times === 1)).toBe(true);
      expect(outcomes.map(({ output }) => output)).toEqual(records.map((n) => n * 2));
    });

    it('hands falsy records and outputs through', async () => {
      const { outcomes } = await runWorkload(executor, [numbers.identity], FALSY);
      outcomes.forEach(({ output }, index) => {
        expect(Object.is(output, FALSY[index])).toBe(true);
      });
    });

    it('makes chunks small for dear records and large for cheap ones', async () => {
      const dear = await runWorkload(executor, [numbers.burn], new Array(24).fill(3000));
      expect(Math.max(...dear.chunkSizes)).toBeLessThanOrEqual(8);
      const cheap = await runWorkload(executor, [numbers.double], new Array(20_000).fill(1));
      expect(Math.max(...cheap.chunkSizes)).toBe(256);
    });

    it('keeps class, code, message, cause and stack of what is thrown', async () => {
      const { outcomes } = await runWorkload(executor, [failures], ['range', 'custom', 'ours', 'aggregate', 'plain']);
      const [range, custom, ours, aggregate, plain] = outcomes.map(({ error }) => error);
      expect(range).toBeInstanceOf(RangeError);
      expect(range).toMatchObject({ message: 'too far', cause: { message: 'why' } });
      expect((range as Error).cause).toBeInstanceOf(TypeError);
      expect((range as Error).stack).toMatch(/failures\.[jt]s/);
      expect(custom).toBeInstanceOf(Error);
      expect(custom).toMatchObject({ message: 'mine', code: 'E_CUSTOM', detail: { at: 3 } });
      expect((custom as Error).constructor.name).toBe(CustomError.name);
      expect(ours).toBeInstanceOf(MillraceError);
      expect(ours).toMatchObject({ code: 'MILLRACE_NETWORK', retryable: true });
      expect(aggregate).toBeInstanceOf(AggregateError);
      expect((aggregate as AggregateError).errors[0]).toBeInstanceOf(SyntaxError);
      expect(plain).toBe('just a string');
    });

    it('takes `throw undefined` for a failure', async () => {
      const { outcomes } = await runWorkload(executor, [numbers.throwUndefinedOn], [12, 13, 14]);
      expect(outcomes).toEqual([
        { record: 12, output: 12 },
        { record: 13, error: undefined, isFailed: true, member: 0 },
        { record: 14, output: 14 },
      ]);
    });

    it('skips', async () => {
      const { outcomes } = await runWorkload(executor, [numbers.skipOdd], [1, 2]);
      expect(outcomes).toEqual([
        { record: 1, skip: 'odd', member: 0 },
        { record: 2, output: 2 },
      ]);
    });

    it('runs functions one after the other, and says which one ended a record on what', async () => {
      const works = [numbers.addOne, numbers.throwOn, numbers.skipOdd];
      const { outcomes } = await runWorkload(executor, works, [11, 12, 14, 15]);
      expect(outcomes).toEqual([
        { record: 11, output: 12 },
        { record: 12, error: new RangeError('thirteen'), isFailed: true, member: 1, given: 13 },
        { record: 14, skip: 'odd', member: 2, given: 15 },
        { record: 15, output: 16 },
      ]);
    });

    it('gives what is made in between only to who wants it', async () => {
      const works = [numbers.addOne, numbers.double];
      expect((await runWorkload(executor, works, [1, 2])).between).toEqual([]);
      expect([...(await runWorkload(executor, works, [1, 2], { wantsBetween: true })).between].sort()).toEqual([2, 3]);
    });

    it('calls a factory with its settings, and a function with its context', async () => {
      const { outcomes } = await runWorkload(executor, [numbers.multiplyBy(7), numbers.describeCall], [6, 7]);
      expect(outcomes.map(({ output }) => output)).toEqual([
        [42, 'task 1', 'spec', 0],
        [49, 'task 1', 'spec', 1],
      ]);
    });

    it('gives a lineage the same randomness wherever it runs', async () => {
      const { outcomes } = await runWorkload(executor, [numbers.draw], [0, 1, 2]);
      expect(outcomes.map(({ output }) => output)).toEqual(EXPECTED_DRAWS);
    });

    it('refuses a function that returns a promise, as a failure of the workload', async () => {
      await expect(runWorkload(executor, [numbers.promise], [1])).rejects.toMatchObject({
        code: 'MILLRACE_INVALID_OPTION',
        message: expect.stringContaining('asyncTask') as unknown,
      });
    });

    it.each([[[13]], [[12, 13, 13]]])(
      'refuses a rejected promise too, and nobody else hears of it (%j)',
      async (records) => {
        const unhandled: unknown[] = [];
        const listener = (error: unknown): unknown => unhandled.push(error);
        process.on('unhandledRejection', listener);
        await expect(runWorkload(executor, [numbers.rejectOn], records)).rejects.toMatchObject({
          code: 'MILLRACE_INVALID_OPTION',
          message: expect.stringContaining('asyncTask') as unknown,
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
        process.off('unhandledRejection', listener);
        expect([unhandled, executor.stats().replaced]).toEqual([[], 0]);
      },
    );

    it('checks exports', async () => {
      const ref = refOf(numbers.double);
      await expect(executor.check(ref, 'function')).resolves.toBeUndefined();
      await expect(executor.check(refOf(sums), 'aggregate')).resolves.toBeUndefined();
      await expect(executor.check({ ...ref, export: 'nothing' }, 'function')).rejects.toMatchObject({
        code: 'MILLRACE_INVALID_OPTION',
        message: expect.stringContaining("'nothing'") as unknown,
      });
      await expect(executor.check(ref, 'aggregate')).rejects.toThrow('an aggregate');
      await expect(executor.check({ ...ref, args: 1, export: 'notAFactory' }, 'function')).rejects.toThrow('a factory');
      const missing = { ...ref, module: new URL('./not-there.js', ref.module).href };
      await expect(executor.check(missing, 'function')).rejects.toThrow('not-there.js');
    });

    it('fails a workload whose module cannot be loaded, once', async () => {
      const ref = refOf(numbers.double);
      const failed = new Promise((_, reject) => {
        const client = { queued: 1, pull: () => ({ from: 0, lineages: [0], records: [1] }), deliver, fail: reject };
        const members = [{ task: 'lost', ref: { ...ref, export: 'nothing' } }];
        executor.open({ kind: 'map', runId: 'spec', seed: 0, members }, client, { maxChunk: 1 }).wake();
      });
      await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
    });

    it('folds each chunk into a partial aggregate', async () => {
      const parts: unknown[] = [];
      await new Promise<void>((resolve, reject) => {
        let queued = 6;
        const client = {
          get queued() {
            return queued;
          },
          pull: () => {
            if (queued === 0) return undefined;
            queued = 0;
            return { from: 0, lineages: [0, 1, 2, 3, 4, 5], records: [1, 2, 3, 4, 13, 6] };
          },
          deliver: (_: unknown, { outputs, endings }: ChunkResult) => {
            parts.push(...outputs, ...endings.map(({ index }) => index));
            resolve();
          },
          fail: reject,
        };
        executor.open({ kind: 'fold', runId: 'spec', task: 'sum', ref: refOf(sums) }, client, { maxChunk: 10 }).wake();
      });
      expect(parts).toEqual([['odd', 4], ['even', 12], 4]);
    });

    it('keeps partitions apart and gives their results by first record', async () => {
      const collected = await sumsOfParts(executor, [
        [1, 3, 5],
        [2, 4, 13],
      ]);
      expect(collected).toEqual([[{ from: 0, output: 'odd: 9' }], [{ from: 3, output: 'even: 6' }]]);
    });

    it('keeps the states of a keyed workload, answers with those that changed, and forgets and accepts them by place', async () => {
      const chunks: Chunk[] = [
        { from: 0, lineages: [0, 1, 2], records: [0, 3, 13], places: [5, 5, 5], seeds: { places: [5], states: [9] } },
        { from: 3, lineages: [3], records: [6], places: [6], seeds: { places: [5], states: [0] } },
        { from: 4, lineages: [4, 5], records: [9, 12], places: [5, 7], forgotten: [6] },
      ];
      const results: ChunkResult[] = [];
      await new Promise<void>((resolve, reject) => {
        const client = {
          get queued() {
            return chunks.length;
          },
          states: () => ({ places: [6], states: [100] }),
          pull: () => chunks.shift(),
          deliver: (_: unknown, result: ChunkResult) => {
            if (results.push(result) === 3) resolve();
          },
          fail: reject,
        };
        const workload = { kind: 'keyed', as: 'aggregate', seed: 0, runId: 'spec', task: 'sum', partition: 0 } as const;
        executor.open({ ...workload, ref: refOf(sums) }, client, { maxChunk: 10 }).wake();
      });
      expect(results.map(({ changed }) => changed)).toEqual([
        { places: [5], states: [12] },
        { places: [6], states: [106] },
        { places: [5, 7], states: [21, 12] },
      ]);
      expect(results[0]?.endings).toMatchObject([{ index: 2 }]);
    });

    it('streams what a module gives, and its error after what came before', async () => {
      const ref = { ...refOf(numbers.double), export: 'countTo' };
      const reader = executor.stream({ ...ref, args: { count: 5000 } });
      const items: unknown[] = [];
      for (let batch = await reader.read(); batch !== null; batch = await reader.read()) items.push(...batch);
      expect(items).toEqual(Array.from({ length: 5000 }, (_, n) => n));

      const failing = executor.stream({ ...ref, args: { count: 3, fails: true } });
      expect(await failing.read()).toEqual([0, 1, 2]);
      await expect(failing.read()).rejects.toBeInstanceOf(RangeError);
      await expect(executor.stream({ ...ref, export: 'double', args: 1 }).read()).rejects.toThrow('iterable');
    });

    it('stops a stream that nobody reads any more', async () => {
      const reader = executor.stream({ ...refOf(numbers.double), export: 'countForEver' });
      expect(await reader.read()).not.toBeNull();
      reader.close();
      expect(await reader.read()).toBeNull();
    });

    it('calls nobody after a port was closed', async () => {
      let calls = 0;
      const client = {
        queued: 1,
        pull: () => ({ from: 0, lineages: [0], records: [1] }),
        deliver: () => calls++,
        fail: () => calls++,
      };
      const members = [{ task: 'late', ref: refOf(numbers.double) }];
      const port = executor.open({ kind: 'map', runId: 'spec', seed: 0, members }, client, { maxChunk: 1 });
      port.wake();
      port.close();
      await runWorkload(executor, [numbers.double], [1]);
      expect(calls).toBe(0);
    });
  });
}

/** The first two numbers of lineages 0, 1 and 2 under seed 1, wherever they run. */
const EXPECTED_DRAWS = [0, 1, 2].map((lineage) => {
  const next = seededRandom(Math.imul(lineage + 1, 0x9e3779b1) ^ 1);
  return [next(), next()];
});

function deliver(): void {
  throw new Error('nothing should be delivered');
}
