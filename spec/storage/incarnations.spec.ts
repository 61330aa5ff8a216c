import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  beginIncarnation,
  endIncarnation,
  isAlive,
  lastIncarnation,
  incarnationPath,
  type Incarnation,
} from '#lib/storage/incarnations.js';

describe('the incarnations of a run', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-incarnations-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const left = async (facts: Partial<Incarnation>): Promise<void> => {
    const incarnation = { number: 1, pid: process.pid, host: hostname(), processStart: null, startedAt: 1, ...facts };
    await writeFile(incarnationPath(folder, 1), JSON.stringify(incarnation));
  };
  const begun = (): Promise<Incarnation> => beginIncarnation(folder, 'run');
  const refused = expect.objectContaining({ code: 'MILLRACE_LOCKED' });

  it('have numbers from 1, and the last one is known', async () => {
    expect(await lastIncarnation(folder)).toBeUndefined();
    const first = await begun();
    await endIncarnation(folder, first);
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
    expect(await isAlive((await lastIncarnation(folder)) as Incarnation)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await begun()).number).toBe(2);
  });

  it('are told from another process that got the same id', async () => {
    await left({ processStart: 'another boot/1' });
    const isToldBySystem = (await readFile('/proc/self/stat').catch(() => undefined)) !== undefined;
    if (!isToldBySystem) return;
    expect((await begun()).number).toBe(2);
  });

  it('are taken to go on where they are on another machine', async () => {
    await left({ host: 'elsewhere', pid: 1 });
    await expect(begun()).rejects.toEqual(refused);
  });

  it('are over where a process died before it had written who it is', async () => {
    await writeFile(incarnationPath(folder, 1), '{"numb');
    expect((await begun()).number).toBe(2);
  });
});
