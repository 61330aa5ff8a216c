import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokenRun } from '#lib/storage/broken-run.js';
import { listRuns, RunFolder, type RunManifest } from '#lib/storage/run-folder.js';

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
