import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokenRun } from '#lib/storage/broken-run.js';
import { listRuns, RunFolder, type RunManifest } from '#lib/storage/run-folder.js';
import { seal } from '#lib/storage/sealed.js';

let runs = '';
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'millrace-runs-'));
});
afterEach(() => {
  rmSync(runs, { recursive: true, force: true });
});

const manifest = (runId: string): RunManifest => ({
  format: 1,
  runId,
  workflow: 'Flow ä',
  createdAt: 1,
  cwd: '/',
  deadLetters: null,
  request: { config: null },
});

describe('the manifest of a run', () => {
  it('with any byte changed is named, and hides no other run', async () => {
    await RunFolder.create(runs, manifest('whole'));
    const { path } = await RunFolder.create(runs, manifest('broken'));
    const file = join(path, 'manifest.json');
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      for (const bit of [1, 4, 128]) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] as number) ^ bit;
        writeFileSync(file, bytes);
        const broken: BrokenRun[] = [];
        const found = await listRuns(runs, (one) => broken.push(one));
        expect({ at, bit, found: found.map((one) => one.manifest.runId) }).toEqual({ at, bit, found: ['whole'] });
        expect(broken).toMatchObject([{ runId: 'broken', error: { code: 'MILLRACE_FILE' } }]);
        expect(broken[0]?.error.message).toContain(file);
      }
    }
  });
});

describe('the files of incarnations and the summary', () => {
  it('have a format, and with any byte changed are named, while the run can still be read', async () => {
    await RunFolder.create(runs, manifest('whole'));
    const run = await RunFolder.create(runs, manifest('damaged'));
    await run.begin();
    await run.end({ outcome: 'completed' });
    for (const name of ['incarnation-1.json', 'summary.json']) {
      const file = join(run.path, name);
      const whole = readFileSync(file);
      expect(JSON.parse(whole.toString())).toMatchObject({ format: 1, checksum: expect.any(String) });
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] as number) ^ 1;
        writeFileSync(file, bytes);
        const named =
          name === 'summary.json'
            ? await run.summary().then(
                () => 'nothing',
                (error: unknown) => (error as Error).message,
              )
            : (await run.damages()).join();
        expect({ at, named }).toEqual({ at, named: expect.stringContaining(file) });
      }
      writeFileSync(file, whole);
    }
    expect(await run.damages()).toEqual([]);
    expect(await listRuns(runs)).toHaveLength(2);
  });

  it('with another format or shape count as damaged', async () => {
    const run = await RunFolder.create(runs, manifest('later'));
    await run.begin();
    await run.end({ outcome: 'completed' });
    const file = join(run.path, 'incarnation-1.json');
    const { checksum: _, ...own } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    for (const other of [
      { ...own, format: 2 },
      { ...own, pid: 'x' },
      { ...own, number: 7 },
    ]) {
      writeFileSync(file, seal(other));
      expect(await run.damages()).toEqual([expect.stringContaining(file)]);
    }
    writeFileSync(join(run.path, 'summary.json'), seal({ format: 2, incarnation: 1, outcome: 'completed' }, 2));
    await expect(run.summary()).rejects.toThrow('summary.json is not the summary of a run');
  });
});
