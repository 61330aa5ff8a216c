import { mkdtempSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, sourceTask, type RunSummary } from 'millrace';
import { csvSink, csvSource } from 'millrace/csv';
import { seededRandom } from '#lib/execution/random.js';
import { recordingDeadLetters, virtualClock, type VirtualClock } from 'millrace/testing';

const pack = promisify(gzip);

describe('a virtual clock', () => {
  it('fires no timer before its time, however far from 1970 it starts', async () => {
    const clock = virtualClock(1_700_000_000_000);
    await clock.advance(497.9);
    const madeAtMs = clock.monotonicMs();
    let firedAtMs = 0;
    clock.schedule(1e-9, () => {
      firedAtMs = clock.monotonicMs();
    });
    await clock.advance(1);
    expect(firedAtMs).toBeGreaterThan(madeAtMs);
    expect(clock.now()).toBeCloseTo(1_700_000_000_498.9, 2);
  });

  it('gives up a run that waits for what never comes, after as much time as was asked', async () => {
    const clock = virtualClock();
    const forever = defineWorkflow({
      name: 'Forever',
      build: (flow) =>
        flow.task('S', sourceTask([1])).task(
          'T',
          ['S'],
          asyncTask(() => new Promise<never>(() => undefined)),
        ),
    }).run(undefined, { clock });
    await expect(clock.runUntil(forever.finished, 3_600_000)).rejects.toMatchObject({
      code: 'MILLRACE_STALLED',
      message: expect.stringContaining('has not settled within 3600 s of virtual time') as unknown,
    });
    expect(clock.monotonicMs()).toBeLessThanOrEqual(3_600_000);
    forever.cancel();
    expect((await clock.runUntil(forever.finished)).outcome).toBe('cancelled');
  });

  it('fires timers in the order of their times, and of their making where those are equal, less those cancelled', async () => {
    const random = seededRandom(24);
    for (let times = 0; times < 20; times++) {
      const clock = virtualClock();
      const fired: number[] = [];
      const made: { readonly n: number; readonly at: number; readonly cancel: () => void }[] = [];
      const make = (at: number): void => {
        const n = made.length;
        made.push({ n, at: clock.monotonicMs() + at, cancel: clock.schedule(at, () => fired.push(n)) });
      };
      for (let n = 0; n < 60; n++) make(Math.floor(random() * 20));
      const gone = made.filter(() => random() < 0.3);
      for (const { cancel } of gone) cancel();
      await clock.advance(10);
      // What was cancelled, or has fired, is no more, whoever cancels it again.
      for (const { cancel } of [...gone, ...fired.map((n) => made[n])] as typeof made) cancel();
      for (let n = 0; n < 20; n++) make(Math.floor(random() * 10));
      const left = made.filter((timer) => !gone.includes(timer));
      expect(clock.pending).toBe(left.length - fired.length);
      await clock.advance(20);
      expect(fired).toEqual(left.sort((one, other) => one.at - other.at || one.n - other.n).map(({ n }) => n));
      expect(clock.pending).toBe(0);
    }
  });

  it.each([NaN, -1, Infinity, '5'])('refuses to move by %p, and to start there', async (ms) => {
    await expect(virtualClock().advance(ms as number)).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
    expect(() => virtualClock(ms as number)).toThrow('Expected `startMs` to be a finite number of at least 0');
  });
});

/** Copies a file that holds 5,000 rows, while a timer of somebody else's waits. */
async function copy(input: string, output: string, rowOf: (n: number) => string): Promise<RunSummary> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const path = join(folder, input);
  const text = `id\n${Array.from({ length: 5000 }, (_, n) => rowOf(n)).join('\n')}\n`;
  writeFileSync(path, input.endsWith('.gz') ? gzipSync(text) : text);
  const clock = virtualClock();
  clock.schedule(1, () => undefined);
  const run = defineWorkflow({
    name: 'Copy',
    build: (flow) =>
      flow
        .task('Read', csvSource({ path }))
        .task('Write', ['Read'], csvSink({ path: join(folder, output), columns: ['id'] })),
  }).run(undefined, { clock });
  return clock.runUntil(run.finished);
}

describe('the time of a virtual clock while real work is under way', () => {
  it.each([
    ['plain', 'in.csv', 'out.csv', String],
    ['quoted', 'in.csv', 'out.csv', (n: number) => `"${n}"`],
    ['packed', 'in.csv.gz', 'out.csv.gz', String],
  ])('stands still for a run that reads and writes %s files, time after time', async (_, input, output, rowOf) => {
    for (let times = 0; times < 4; times++) {
      const { elapsedMs, tasks } = await copy(input, output, rowOf);
      expect([elapsedMs, tasks['Write']?.out]).toEqual([0, 5000]);
    }
  });

  it('stands still until the last of many handles is closed', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'millrace-')), 'file');
    const handles = await Promise.all(Array.from({ length: 100 }, () => open(path, 'w')));
    const clock = virtualClock();
    clock.schedule(1, () => undefined);
    const closing = async (): Promise<number> => {
      for (const handle of handles) await handle.close();
      return clock.monotonicMs();
    };
    expect(await clock.runUntil(closing())).toBe(0);
  });

  it('stands still for what a function of the test holds', async () => {
    const large = Buffer.alloc(2_000_000, 'abc');
    const given = async (work: (clock: VirtualClock) => Promise<Buffer>): Promise<[number, number]> => {
      const clock = virtualClock();
      const deadLetters = recordingDeadLetters();
      const run = defineWorkflow({
        name: 'Pack',
        build: (flow) =>
          flow.task('Read', sourceTask([1, 2, 3])).task(
            'Pack',
            ['Read'],
            asyncTask(() => work(clock), { timeoutMs: 60_000 }),
          ),
      }).run(undefined, { clock, deadLetters });
      await clock.runUntil(run.finished);
      return [deadLetters.letters.length, clock.monotonicMs()];
    };
    expect(await given((clock) => clock.hold(pack(large)))).toEqual([0, 0]);
  });

  it('goes on where held work has failed, which is left to whoever waits for it', async () => {
    const clock = virtualClock();
    const failed = clock.hold(Promise.reject(new Error('it broke')));
    await expect(failed).rejects.toThrow('it broke');
    await clock.advance(10);
    expect(clock.monotonicMs()).toBe(10);
  });
});
