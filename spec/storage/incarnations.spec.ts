import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  beginIncarnation,
  endIncarnation,
  isAlive,
  lastIncarnation,
  incarnationPath,
  type Incarnation,
  type OwnIncarnation,
} from '#lib/storage/incarnations.js';
import { seal } from '#lib/storage/sealed.js';

describe('the incarnations of a run', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-incarnations-'));
  });
  afterEach(() => {
    for (const { lease } of held.splice(0)) lease.end();
    return rm(folder, { recursive: true });
  });

  const left = async (facts: Partial<Incarnation>): Promise<void> => {
    const incarnation = {
      format: 1,
      number: 1,
      pid: process.pid,
      host: hostname(),
      processStart: null,
      startedAt: 1,
      ...facts,
    };
    await writeFile(incarnationPath(folder, 1), seal(incarnation));
  };
  const held: OwnIncarnation[] = [];
  const begun = async (): Promise<Incarnation> => {
    const own = await beginIncarnation(folder, 'run');
    held.push(own);
    return own.incarnation;
  };
  const refused = expect.objectContaining({ code: 'MILLRACE_LOCKED' });

  it('have numbers from 1, and the last one is known', async () => {
    expect(await lastIncarnation(folder)).toBeUndefined();
    await begun();
    await endIncarnation(folder, held[0] as OwnIncarnation, 'completed');
    expect((await begun()).number).toBe(2);
    expect(await lastIncarnation(folder)).toMatchObject({ number: 2, pid: process.pid });
  });

  it('are one at a time, and say who works on the run', async () => {
    await begun();
    await expect(begun()).rejects.toMatchObject({
      code: 'MILLRACE_LOCKED',
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
    });
  });

  it('let only one of two that take over at once do so', async () => {
    await left({ endedAt: 2 });
    const outcomes = await Promise.allSettled([begun(), begun()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: refused });
  });

  it('end with their process, also where it said nothing', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await left({ pid: child.pid as number });
    expect(await isAlive(folder, (await lastIncarnation(folder)) as Incarnation)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await begun()).number).toBe(2);
  });

  it('are distinguished from another process that got the same id', async () => {
    await left({ processStart: 'another boot/1' });
    const isToldBySystem = (await readFile('/proc/self/stat').catch(() => undefined)) !== undefined;
    if (!isToldBySystem) return;
    expect((await begun()).number).toBe(2);
  });

  /** Makes the last sign of life of the first incarnation this old. */
  const silentFor = async (ms: number): Promise<void> => {
    const at = new Date(Date.now() - ms);
    await utimes(incarnationPath(folder, 1), at, at);
  };
  /** The owner gives signs of life until the work is over. */
  const whileRenewed = async (work: () => Promise<unknown>): Promise<void> => {
    let count = 0;
    const renewing = setInterval(() => void silentFor(1000 + count++), 20);
    await work().finally(() => {
      clearInterval(renewing);
    });
  };

  it.each([
    ['on another host', { host: 'elsewhere', pid: 1 }],
    ['in another container with the same host name', { idSpace: 'another/pid:[1]', pid: 1 }],
    ['in a process that is stopped', {}],
  ])('%s are waited for, and replaced once they have been silent for 30 seconds', async (_, facts) => {
    await left(facts);
    // Some seconds less, because a busy machine may be late with the next look.
    await silentFor(26_000);
    expect(await isAlive(folder, (await lastIncarnation(folder)) as Incarnation)).toBe(true);
    const next = begun();
    await whileRenewed(() => expect(next).rejects.toEqual(refused));
    await silentFor(29_500);
    expect((await begun()).number).toBe(2);
  });

  it('with a damaged file are known only by their silence', async () => {
    await writeFile(incarnationPath(folder, 1), '{"numb');
    expect(await isAlive(folder, (await lastIncarnation(folder)) as Incarnation)).toBe(true);
    await silentFor(31_000);
    expect((await begun()).number).toBe(2);
  });

  it('are lost to a successor, which they notice before the next write, and then record no end', async () => {
    await begun();
    const own = held[0] as OwnIncarnation;
    const reported: unknown[] = [];
    own.lease.whenLost((error) => reported.push(error));
    // The process is stopped meanwhile: its clock goes on, and its timers do not.
    const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 31_000);
    await silentFor(31_000);
    expect((await begun()).number).toBe(2);
    expect(() => {
      own.lease.assertHeld();
    }).toThrow(expect.objectContaining({ code: 'MILLRACE_LOCKED' }));
    clock.mockRestore();
    expect(reported).toHaveLength(1);
    expect(await endIncarnation(folder, own, 'failed')).toBe(false);
    expect(await lastIncarnation(folder)).toMatchObject({ number: 2 });
  });

  it('are renewed while they work, by the clock of the file system', async () => {
    await begun();
    await silentFor(20_000);
    const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 11_000);
    (held[0] as OwnIncarnation).lease.assertHeld();
    clock.mockRestore();
    expect(Date.now() - (await stat(incarnationPath(folder, 1))).mtimeMs).toBeLessThan(5_000);
  });
});
