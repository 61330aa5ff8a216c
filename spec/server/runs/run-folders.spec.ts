import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Sight } from '#lib/server/runs/follow.js';
import { RunFolders } from '#lib/server/runs/run-folders.js';
import { runProcesses, type RunProcesses } from '#lib/server/runs/run-processes.js';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';
import { ONLY_SERVER } from '#lib/server/servers/membership.js';
import { Supervisor } from '#lib/server/supervisor.js';
import { beginIncarnation, endIncarnation } from '#lib/storage/incarnations.js';
import { RunFolder } from '#lib/storage/run-folder.js';
import { aRun } from '../../contracts/server-store.contract.js';

describe('a server that looks for what the command line has done', () => {
  let folder: string;
  let runs: string;
  let store: ServerStore;
  let processes: RunProcesses;
  let looks: string[];
  let folders: RunFolders;
  let supervisor: Supervisor;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-folders-'));
    runs = join(folder, 'runs');
    store = sqliteStore(join(folder, 'state.db'));
    processes = runProcesses({
      ...{ runs, output: join(folder, 'output'), folder, environment: {}, script: '', onExit: () => undefined },
      memoryOf: () => undefined,
    });
    looks = [];
    const look = (id: string): Promise<Sight> => {
      looks.push(id);
      return processes.look(id);
    };
    folders = new RunFolders({ runs, store, processes: { look }, now: Date.now });
    supervisor = new Supervisor({
      ...{ store, processes, now: Date.now, maxRuns: 0, pools: new Map(), rulesOf: () => undefined },
      ...{ triggers: () => [], isReady: () => true, sendsAlerts: false, membership: ONLY_SERVER },
    });
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const create = (runId: string): Promise<RunFolder> =>
    RunFolder.create(runs, {
      ...{ format: 1, runId, workflow: 'Flow', createdAt: 1, cwd: folder, deadLetters: null, request: {} },
    });
  const stateOf = async (id: string): Promise<string | undefined> => (await store.run(id))?.state;

  it('finds a run that it has started', async () => {
    const run = await create('r1');
    const own = await beginIncarnation(run.path, 'r1');
    await folders.look();
    expect(await store.run('r1')).toMatchObject({ state: 'running', origin: 'command line' });
    await endIncarnation(run.path, own, 'completed');
    await supervisor.pass();
    expect(await stateOf('r1')).toBe('completed');
  });

  it.each(['interrupted', 'failed', 'drained', 'cancelled'] as const)(
    'follows a run that was %s and that it has resumed',
    async (state) => {
      const run = await create('r1');
      await store.addRun(aRun('r1', { state, origin: 'command line', endedAt: Date.now() - 1, problem: 'It died' }));
      await folders.look();
      await supervisor.pass();
      expect(await stateOf('r1')).toBe(state);

      const own = await beginIncarnation(run.path, 'r1');
      await folders.look();
      await supervisor.pass();
      expect(await store.run('r1')).toMatchObject({ state: 'running', endedAt: null, problem: '' });
      await endIncarnation(run.path, own, 'completed');
      await supervisor.pass();
      expect(await store.run('r1')).toMatchObject({ state: 'completed' });
    },
  );

  it('learns how a run has ended that was resumed while nobody looked', async () => {
    const run = await create('r1');
    await store.addRun(aRun('r1', { state: 'interrupted', endedAt: 10 }));
    const own = await beginIncarnation(run.path, 'r1');
    await endIncarnation(run.path, own, 'drained');
    await folders.look();
    await supervisor.pass();
    expect(await stateOf('r1')).toBe('drained');
  });

  it('leaves a run as it is that has ended as the store says, and one that has completed', async () => {
    const [drained, completed] = [await create('r1'), await create('r2')];
    const own = await beginIncarnation(drained.path, 'r1');
    await endIncarnation(drained.path, own, 'drained');
    const { endedAt } = await processes.look('r1');
    await store.addRun(aRun('r1', { state: 'drained', endedAt: endedAt as number }));
    await store.addRun(aRun('r2', { state: 'completed', endedAt: 10 }));
    const replay = await beginIncarnation(completed.path, 'r2');
    await folders.look();
    expect([await stateOf('r1'), await stateOf('r2')]).toEqual(['drained', 'completed']);
    await endIncarnation(completed.path, replay, 'completed');
  });

  it('reads no folder in which nothing has changed', async () => {
    await create('r1');
    await store.addRun(aRun('r1', { state: 'interrupted', endedAt: 10 }));
    await folders.look();
    await folders.look();
    expect(looks).toEqual(['r1']);
  });
});
