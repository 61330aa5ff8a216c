/**
 * Finds the runs that the command line has started, and the ended runs that it has resumed, in the folder of runs.
 *
 * Guarantees: the folder of a run is read only if it has changed since the last look; a completed run stays completed,
 * so its end starts the runs after it only once.
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

/** The states of ended runs that can be resumed. */
const RESUMABLE: readonly ServerRunState[] = ['failed', 'drained', 'cancelled', 'interrupted'];

export class RunFolders {
  private readonly ports: RunFoldersPorts;
  /** By run, the time of the last change of its folder, as of the last look. */
  private readonly changedAt = new Map<string, number>();

  constructor(ports: RunFoldersPorts) {
    this.ports = ports;
  }

  /** Adds new runs to the store, and corrects those that were resumed. The next pass follows both. */
  async look(): Promise<void> {
    const { runs, store } = this.ports;
    for (const name of readdirSync(runs)) {
      if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) continue;
      // A folder without a manifest is still being made.
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
    // The next pass finds out whether the run is at work, or how it has ended.
    await store.addRun(queuedRun(workflow, queuedAt, facts));
  }

  /** Sets a run that is over in the store to running, if it is at work again, or has ended again since then. */
  private async correct({ id, endedAt }: StoredRun): Promise<void> {
    const { store, processes } = this.ports;
    // Without a readable folder, nothing is known about the run.
    const sight = await processes.look(id).catch(() => undefined);
    const wasAtWork = sight?.state === 'ended' && (sight.endedAt ?? 0) > (endedAt ?? 0);
    if (sight?.state !== 'working' && !wasAtWork) return;
    await store.changeRun(id, RESUMABLE, {
      ...{ state: 'running', endedAt: null, workingSince: null, stopWish: null, stopReason: '', problem: '' },
      ...{ owner: null, ...UNSIGNALLED },
    });
  }
}

/** The time of the last change of a file, in milliseconds since 1970; undefined if the file does not exist. */
function changeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
