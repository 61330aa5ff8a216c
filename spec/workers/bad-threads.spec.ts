/** Threads that misbehave: the poison record alone fails, whatever it does to its thread. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MillraceError } from '#lib/model/errors.js';
import { ThreadExecutor } from '#lib/workers/thread-executor.js';
import * as numbers from './modules/numbers.js';
import * as poison from './modules/poison.js';
import { isLong } from '../support/long.js';
import { runWorkload, type WorkloadRun } from './support/workload-runner.js';

/** 40 records with one 13 among them, in chunks that hold several. */
const RECORDS = Array.from({ length: 40 }, (_, n) => n);

/** Each of a hundred of them costs a thread. */
const MANY = isLong ? 10_000 : 1000;

let executor: ThreadExecutor;
beforeEach(() => {
  executor = new ThreadExecutor({ threads: 2, limits: { heapMb: 48 } });
});
afterEach(async () => {
  await executor.close();
});

/** Only 13 failed; every other record came through, once. */
function expectOnlyThirteenFailed({ outcomes, answers }: WorkloadRun): unknown {
  expect(answers.every((times) => times === 1)).toBe(true);
  const failed = outcomes.filter(({ isFailed }) => isFailed === true);
  expect(failed.map(({ record }) => record)).toEqual([13]);
  const others = outcomes.filter(({ record }) => record !== 13);
  expect(others.every(({ record, output }) => record === output)).toBe(true);
  return failed[0]?.error;
}

describe('a record that', () => {
  it.each([
    ['exits its thread with 0', numbers.exitOn, 'exited with code 0'],
    ['exits its thread with 3', poison.exitWithThreeOn, 'exited with code 3'],
    ['lets its thread run out of memory', numbers.outOfMemoryOn, 'ran out of memory'],
  ])('%s fails alone', async (_, work, message) => {
    const error = expectOnlyThirteenFailed(await runWorkload(executor, [work], RECORDS));
    expect(error).toBeInstanceOf(MillraceError);
    expect(error).toMatchObject({ code: 'MILLRACE_THREAD', message: expect.stringContaining(message) as unknown });
    expect(executor.stats().replaced).toBeGreaterThanOrEqual(2);
  });

  it('throws fails alone, and no thread dies of it', async () => {
    expect(expectOnlyThirteenFailed(await runWorkload(executor, [numbers.throwOn], RECORDS))).toBeInstanceOf(
      RangeError,
    );
    expect(executor.stats().replaced).toBe(0);
  });

  it('throws undefined fails alone', async () => {
    expect(expectOnlyThirteenFailed(await runWorkload(executor, [numbers.throwUndefinedOn], RECORDS))).toBeUndefined();
  });

  it('never comes back is stopped after its time, and fails alone', async () => {
    const error = expectOnlyThirteenFailed(await runWorkload(executor, [numbers.spinOn], RECORDS, { timeoutMs: 300 }));
    expect(error).toMatchObject({ code: 'MILLRACE_TIMEOUT' });
    expect(executor.stats().replaced).toBe(1);
  });

  it('makes something that cannot be copied fails alone, and is named', async () => {
    const error = expectOnlyThirteenFailed(await runWorkload(executor, [numbers.uncloneableOn], RECORDS));
    expect(error).toMatchObject({
      code: 'MILLRACE_UNCLONABLE',
      message: expect.stringContaining("The output of 'task 0' for record 13 cannot be copied") as unknown,
    });
  });

  it('cannot be copied itself fails alone, and is named', async () => {
    const records = [1, () => 2, 3, Symbol('four'), 5];
    const { outcomes } = await runWorkload(executor, [numbers.identity], records, { maxChunk: 4 });
    expect(outcomes.map(({ output, isFailed }) => isFailed ?? output)).toEqual([1, true, 3, true, 5]);
    expect(outcomes[1]?.error).toMatchObject({
      code: 'MILLRACE_UNCLONABLE',
      message: expect.stringContaining('Record 1 cannot be copied') as unknown,
    });
  });
});

describe('a thread that', () => {
  it('dies of an error nobody caught, between records, is replaced, and no record is blamed', async () => {
    // A thread that dies between two records is heard of when its end arrives, which may be rounds later.
    for (let round = 0; round < 5 || (executor.stats().replaced === 0 && round < 500); round++) {
      const { outcomes, answers } = await runWorkload(executor, [poison.throwLaterOn], RECORDS);
      expect(outcomes.some(({ isFailed }) => isFailed === true)).toBe(false);
      expect(answers.every((times) => times === 1)).toBe(true);
    }
    expect(executor.stats().replaced).toBeGreaterThan(0);
  });

  it('dies again and again on different records loses none', async () => {
    const records = RECORDS.map((n) => (n % 10 === 3 ? 13 : n));
    const { outcomes, answers } = await runWorkload(executor, [numbers.exitOn], records);
    expect(answers.every((times) => times === 1)).toBe(true);
    expect(outcomes.filter(({ isFailed }) => isFailed === true).map(({ attempts }) => attempts)).toEqual([2, 2, 2, 2]);
  });

  it.each([
    ['neighbours at the beginning', (n: number): boolean => n < 10],
    ['neighbours in the middle', (n: number): boolean => n >= 100 && n < 112],
    ['the last records', (n: number): boolean => n >= 290],
    ['one record in 20', (n: number): boolean => n % 20 === 0],
  ])('dies of many records (%s) costs these records only', async (_, isPoison) => {
    const records = Array.from({ length: 300 }, (_, n) => (isPoison(n) ? 13 : n + 1000));
    const { outcomes, answers } = await runWorkload(executor, [numbers.exitOn], records);
    expect(answers.every((times) => times === 1)).toBe(true);
    expect(
      outcomes.every(({ record, output, isFailed }) => (record === 13 ? isFailed === true : output === record)),
    ).toBe(true);
  });

  it(`dies of 1 % of ${MANY} records costs these records only`, async () => {
    const records = Array.from({ length: MANY }, (_, n) => (n % 100 === 50 ? 13 : n + 1000));
    const { outcomes, answers } = await runWorkload(executor, [numbers.exitOn], records);
    expect(answers.every((times) => times === 1)).toBe(true);
    expect(outcomes.filter(({ isFailed }) => isFailed === true)).toHaveLength(MANY / 100);
    expect(outcomes.every(({ record, isFailed }) => (isFailed === true) === (record === 13))).toBe(true);
  });

  it('exceeds its time limit on many neighbours costs these records only', async () => {
    const records = Array.from({ length: 60 }, (_, n) => (n < 8 ? 13 : n + 1000));
    const { outcomes } = await runWorkload(executor, [numbers.spinOn], records, { timeoutMs: 200 });
    expect(outcomes.filter(({ isFailed }) => isFailed === true)).toHaveLength(8);
    expect(outcomes.slice(8).every(({ record, output }) => output === record)).toBe(true);
  });

  it('may take as long as it needs beside another workload in the same thread that has a limit', async () => {
    await executor.close();
    executor = new ThreadExecutor({ threads: 1 });
    const slow = runWorkload(executor, [numbers.burn], [600_000, 600_000]);
    const limited = runWorkload(executor, [numbers.double], RECORDS, { timeoutMs: 300 });
    for (const { outcomes } of [await slow, await limited]) {
      expect(outcomes.some(({ isFailed }) => isFailed === true)).toBe(false);
    }
    expect(executor.stats().replaced).toBe(0);
  });

  it('dies of a few records that are all there are fails each of them', async () => {
    const { outcomes } = await runWorkload(executor, [numbers.exitOn], [13, 13, 13]);
    expect(outcomes.map(({ isFailed }) => isFailed)).toEqual([true, true, true]);
  });

  it('dies of each of many records fails the workload, and no record', async () => {
    const answered: unknown[] = [];
    const run = runWorkload(executor, [numbers.exitOn], new Array(20).fill(13), {
      onAnswer: (record) => answered.push(record),
    });
    await expect(run).rejects.toMatchObject({
      code: 'MILLRACE_THREAD',
      message: expect.stringContaining('none was finished') as unknown,
    });
    expect(answered).toEqual([]);
  });

  it('dies of records, while others of the workload cannot be copied, leaves no record unanswered', async () => {
    const { outcomes } = await runWorkload(executor, [numbers.exitOn], [13, () => 1, () => 2], { maxChunk: 1 });
    expect(outcomes.map(({ isFailed }) => isFailed)).toEqual([true, true, true]);
  });

  it('cannot load its module without dying fails the workload', async () => {
    const ref = { module: new URL('./modules/dies-on-load.js', import.meta.url).href, export: 'never' };
    await expect(executor.check(ref, 'function')).rejects.toMatchObject({ code: 'MILLRACE_THREAD' });
    const tagged = { [Symbol.for('millrace.home')]: { ref } };
    await expect(runWorkload(executor, [tagged], RECORDS)).rejects.toMatchObject({
      code: 'MILLRACE_THREAD',
      message: expect.stringContaining('in a row') as unknown,
    });
  });

  it('blames the right function of a hop', async () => {
    const { outcomes } = await runWorkload(executor, [numbers.addOne, numbers.exitOn], [11, 12, 13]);
    expect(outcomes[1]).toMatchObject({ isFailed: true, member: 1 });
    expect(outcomes[2]).toEqual({ record: 13, output: 14 });
  });

  it('finishes a slow record within its time', async () => {
    const records = new Array<number>(8).fill(40_000);
    const { outcomes } = await runWorkload(executor, [numbers.burn], records, { timeoutMs: 400, maxChunk: 8 });
    expect(outcomes.some(({ isFailed }) => isFailed === true)).toBe(false);
  });
});

it('moves what is transferable instead of copying it, both ways', async () => {
  const pixels = [1, 2, 3].map((n) => new Uint8Array([n]));
  const transfer = ({ buffer }: Uint8Array): readonly object[] => [buffer];
  const { outcomes } = await runWorkload(executor, [poison.brighten], pixels, { transfer });
  expect(outcomes.map(({ output }) => output)).toEqual([2, 3, 4].map((n) => new Uint8Array([n])));
  expect(pixels.map(({ length }) => length)).toEqual([0, 0, 0]);
});

it('loses only the record that killed the thread, also where records cannot be sent twice', async () => {
  const records = RECORDS.slice(0, 20).map((n) => new Uint8Array([n]));
  const transfer = ({ buffer }: Uint8Array): readonly object[] => [buffer];
  const { outcomes } = await runWorkload(executor, [poison.exitOnThirteenBytes], records, { transfer });
  expect(outcomes.map(({ isFailed }) => isFailed === true).indexOf(true)).toBe(13);
  expect(outcomes.filter(({ isFailed }) => isFailed === true)).toHaveLength(1);
});

it('leaves nothing behind', async () => {
  const run = runWorkload(executor, [numbers.spinOn], [13]);
  run.catch(() => undefined);
  await executor.close();
  await executor.close();
  expect(process.getActiveResourcesInfo().filter((name) => name.includes('Worker') || name === 'MessagePort')).toEqual(
    [],
  );
});
