import { execFileSync } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { claimFile, ownerFileOf, type FileClaim } from '#lib/storage/file-owner.js';
import { seal } from '#lib/storage/sealed.js';

describe('the claim of a file', () => {
  let folder: string;
  let path: string;
  let claims: FileClaim[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-owner-'));
    path = join(folder, 'out.csv');
    claims = [];
  });
  afterEach(async () => {
    for (const release of claims) await release();
    await rm(folder, { recursive: true });
  });

  const claim = async (): Promise<FileClaim> => {
    const made = await claimFile(path);
    claims.push(made);
    return made;
  };
  const left = (facts: object): Promise<void> =>
    writeFile(ownerFileOf(path), seal({ pid: process.pid, host: hostname(), processStart: null, ...facts }));
  const silentFor = async (ms: number): Promise<void> => {
    const at = new Date(Date.now() - ms);
    await utimes(ownerFileOf(path), at, at);
  };
  /** The owner gives signs of life until the work is over. */
  const whileRenewed = async (work: () => Promise<unknown>): Promise<void> => {
    let count = 0;
    const renewing = setInterval(() => void silentFor(1000 + count++), 20);
    await work().finally(() => {
      clearInterval(renewing);
    });
  };
  const refused = { code: 'MILLRACE_LOCKED', message: expect.stringContaining('is being written by') as unknown };

  it('is held by one writer until it is released, and leaves nothing behind', async () => {
    const first = await claim();
    expect(first.hasGhost).toBe(false);
    await expect(claim()).rejects.toMatchObject(refused);
    await first();
    await (
      await claim()
    )();
    expect(await readdir(folder)).toEqual([]);
  });

  it('is held by one of two that ask at once', async () => {
    const outcomes = await Promise.allSettled([claim(), claim()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('of a dead process is free at once, and there is no ghost of it', async () => {
    await left({ processStart: 'another boot/1' });
    expect((await claim()).hasGhost).toBe((await readFile('/proc/self/stat').catch(() => undefined)) === undefined);
  });

  it.each([
    ['on another host', { host: 'elsewhere' }],
    ['that is stopped', {}],
  ])('of a process %s is free after 30 seconds of silence, and the process may be a ghost', async (_, facts) => {
    await left(facts);
    // Some seconds less, because a busy machine may be late with the next look.
    await silentFor(26_000);
    const next = claim();
    await whileRenewed(() => expect(next).rejects.toMatchObject(refused));
    await silentFor(29_500);
    expect((await claim()).hasGhost).toBe(true);
  });

  it('that was taken over is noticed before the next write, and is not removed by its former owner', async () => {
    const first = await claim();
    await silentFor(31_000);
    const second = await claim();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 31_000);
    expect(() => {
      first.assertHeld();
    }).toThrow(expect.objectContaining({ code: 'MILLRACE_LOCKED' }));
    clock.mockRestore();
    await first();
    expect(() => {
      second.assertHeld();
    }).not.toThrow();
    expect(await readdir(folder)).toEqual(['out.csv.owner']);
  });

  it('neither follows a link nor opens a pipe that is in its place', async () => {
    const place = ownerFileOf(path);
    await writeFile(join(folder, 'mine'), 'mine');
    await symlink(join(folder, 'mine'), place);
    await expect(claim()).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine');
    await rm(place);
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [place]);
    await expect(claim()).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    expect((await lstat(place)).isFIFO()).toBe(true);
  });
});
