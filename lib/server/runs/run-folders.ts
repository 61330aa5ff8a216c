/**
 * Looks into the folder of runs for what the command line has done: runs that it has started, and runs that were over
 * and that it has resumed.
 *
 * Guarantees: a folder is read only if something in it has changed since the last look; a completed run stays
 * completed, so its end starts the runs after it once.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RunFolder } from '../../storage/run-folder.js';
import type { ServerStore } from '../store/server-store.js';
import { queuedRun } from './queued-run.js';
import type { RunProcesses } from './run-processes.js';
import { UNSIGNALLED, type ServerRunState, type StoredRun } from './stored-run.js';

export interface RunFoldersPorts {
  /** The folder of runs, absolute. */
  readonly runs: string;
  readonly store: ServerStore;
  readonly processes: Pick<RunProcesses, 'look'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The states of runs that are over and that can be resumed. */
const RESUMABLE: readonly ServerRunState[] = ['failed', 'drained', 'cancelled', 'interrupted'];

export class RunFolders {
  private readonly ports: RunFoldersPorts;
  /** By run, when its folder was last changed before the last look. */
  private readonly changedAt = new Map<string, number>();

  constructor(ports: RunFoldersPorts) {
    this.ports = ports;
  }

  /** Adds new runs to the store, and corrects those that were resumed. The next pass follows both. */
  async look(): Promise<void> {
    const { runs, store } = this.ports;
    for (const name of readdirSync(runs)) {
      if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) continue;
      // A folder without it is one that is being made.
      if (changeOf(join(runs, name, 'manifest.json')) === undefined) continue;
      const changedAt = changeOf(join(runs, name));
      if (changedAt === undefined || changedAt === this.changedAt.get(name)) continue;
      this.changedAt.set(name, changedAt);
      const run = await store.run(name);
      if (run === undefined) await this.add(name);
      else if (RESUMABLE.includes(run.state)) await this.correct(run);
    }
  }

  /** Adds a run that was started by the command line, or that an older store knew. */
  private async add(name: string): Promise<void> {
    const { runs, store, now } = this.ports;
    const folder = await RunFolder.open(runs, name).catch(() => undefined);
    if (folder === undefined) return;
    const { workflow, createdAt } = folder.manifest;
    const queuedAt = Math.min(createdAt, now());
    const facts = { id: name, state: 'running', origin: 'command line', startedAt: createdAt } as const;
    // The next pass sees whether it is at work, and how it has ended.
    await store.addRun(queuedRun(workflow, queuedAt, facts));
  }

  /** A run that is over for the store is at work if it is again, or was since then. */
  private async correct({ id, endedAt }: StoredRun): Promise<void> {
    const { store, processes } = this.ports;
    // A folder that cannot be read says nothing.
    const sight = await processes.look(id).catch(() => undefined);
    const wasAtWork = sight?.state === 'ended' && (sight.endedAt ?? 0) > (endedAt ?? 0);
    if (sight?.state !== 'working' && !wasAtWork) return;
    await store.changeRun(id, RESUMABLE, {
      ...{ state: 'running', endedAt: null, workingSince: null, stopWish: null, stopReason: '', problem: '' },
      ...UNSIGNALLED,
    });
  }
}

/** When a file was last changed, in milliseconds since 1970; undefined if it is not there. */
function changeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
