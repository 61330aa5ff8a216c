import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runProcesses } from '#lib/server/runs/run-processes.js';
import { beginIncarnation, endIncarnation, incarnationPath } from '#lib/storage/incarnations.js';
import { RunFolder } from '#lib/storage/run-folder.js';
import { seal } from '#lib/storage/sealed.js';

describe('the process of a run', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-processes-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is at work also while it gives no sign of life, because it is blocked or paused', async () => {
    const runs = join(folder, 'runs');
    const run = await RunFolder.create(runs, {
      ...{ format: 1, runId: 'r1', workflow: 'Flow', createdAt: 1, cwd: folder, deadLetters: null, request: {} },
    });
    const processes = runProcesses({
      ...{ runs, output: join(folder, 'output'), folder, environment: {}, script: '', onExit: () => undefined },
      memoryOf: () => undefined,
    });
    const own = await beginIncarnation(run.path, 'r1');
    // Its lease was extended an hour ago.
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(incarnationPath(run.path, 1), hourAgo, hourAgo);
    expect(await processes.look('r1')).toMatchObject({ state: 'working', incarnation: 1 });
    await endIncarnation(run.path, own, 'completed');
    expect(await processes.look('r1')).toMatchObject({ state: 'ended', outcome: 'completed' });
  });

  it('that died after the summary of a completed run was written has completed the run', async () => {
    const runs = join(folder, 'runs');
    const run = await RunFolder.create(runs, {
      ...{ format: 1, runId: 'r1', workflow: 'Flow', createdAt: 1, cwd: folder, deadLetters: null, request: {} },
    });
    const processes = runProcesses({
      ...{ runs, output: join(folder, 'output'), folder, environment: {}, script: '', onExit: () => undefined },
      memoryOf: () => undefined,
    });
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const incarnation = { format: 1, number: 1, pid, host: hostname(), processStart: '0', startedAt: 1 };
    writeFileSync(incarnationPath(run.path, 1), seal(incarnation));
    expect(await processes.look('r1')).toMatchObject({ state: 'dead', incarnation: 1 });
    writeFileSync(join(run.path, 'summary.json'), seal({ format: 1, incarnation: 1, outcome: 'completed' }, 2));
    expect(await processes.look('r1')).toMatchObject({ state: 'ended', incarnation: 1, outcome: 'completed' });
  });
});
