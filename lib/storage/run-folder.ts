/**
 * The folder of one run.
 *
 * ```
 * <runs>/<run id>/manifest.json           the request for the run
 *                 incarnation-1.json, …   the processes that work, or have worked, on it
 *                 checkpoint.json         the progress
 *                 checkpoint-state-….log  the state of boundaries
 *                 dead-letters.ndjson     the records that were given up, unless the workflow names another place
 *                 events.ndjson           the events
 *                 summary.json            the end of its last incarnation
 *                 report.html             the report, once it was requested
 * ```
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Checkpoint, CheckpointStore, Json } from '../model/checkpoint.js';
import { MillraceError, describeThrown } from '../model/errors.js';
import { mendBroken, type BrokenRun } from './broken-run.js';
import { checkpointFile, readCheckpoint, replaceFile } from './checkpoint-file.js';
import {
  beginIncarnation,
  endIncarnation,
  isAlive,
  lastIncarnation,
  incarnationPath,
  type Incarnation,
} from './incarnations.js';
import { systemCodeOf } from './file-errors.js';
import { readJson } from './read-json.js';

/** The request for a run. */
export interface RunManifest {
  readonly format: 1;
  readonly runId: string;
  readonly workflow: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** The folder that relative paths of the request start from. */
  readonly cwd: string;
  /** The path of its dead letters; null if they are not kept. */
  readonly deadLetters: string | null;
  /** The data to start the run again. Only the creator of the folder knows its format. */
  readonly request: Json;
}

type RunFile =
  'dead-letters.ndjson' | 'events.ndjson' | 'summary.json' | 'checkpoint.json' | 'broken-law.json' | 'report.html';

/** The state of a run, seen from another process. */
export type RunState = 'running' | 'unfinished' | 'finished';

export class RunFolder {
  readonly path: string;
  readonly manifest: RunManifest;
  private incarnation: Incarnation | undefined;

  private constructor(path: string, manifest: RunManifest) {
    this.path = path;
    this.manifest = manifest;
  }

  /** Creates the folder of a new run. Throws MILLRACE_FILE if that fails. */
  static async create(runs: string, manifest: RunManifest): Promise<RunFolder> {
    const path = join(runs, manifest.runId);
    const file = join(path, 'manifest.json');
    try {
      // Records and configurations are private, so only the owner may read the folder.
      await mkdir(path, { recursive: true, mode: 0o700 });
      await replaceFile(file, `${JSON.stringify(manifest, null, 2)}\n`, `${file}.tmp`);
    } catch (error) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot make the folder ${path} of the run: ${describeThrown(error)}. Name another place for runs, or keep none`,
        { cause: error },
      );
    }
    return new RunFolder(path, manifest);
  }

  /** Throws MILLRACE_UNKNOWN_RUN, with the id of the newest run, and MILLRACE_FILE if the manifest is broken. */
  static async open(runs: string, runId: string): Promise<RunFolder> {
    const path = join(runs, runId);
    const file = join(path, 'manifest.json');
    // Only a plain name is an id: a path would lead to folders that belong to no run.
    const manifest = basename(path) === runId ? await readJson(file, mendBroken(runId)) : undefined;
    if (manifest === undefined) {
      // Ids are random, so an id with a similar spelling is hardly the intended one.
      const newest = (await listRuns(runs, () => undefined)).at(-1)?.manifest;
      const hint =
        newest === undefined ? 'None is kept there' : `The newest is '${newest.runId}' of ${newest.workflow}`;
      throw new MillraceError('MILLRACE_UNKNOWN_RUN', `There is no run '${runId}' in ${runs}. ${hint}`);
    }
    if (!isManifest(manifest)) {
      throw new MillraceError('MILLRACE_FILE', `${file} is not the manifest of a run: ${mendBroken(runId)}`);
    }
    return new RunFolder(path, manifest);
  }

  /** The path of a file of the run. */
  file(name: RunFile): string {
    return join(this.path, name);
  }

  /** Begins an incarnation for this process. Throws MILLRACE_LOCKED if another process works on the run. */
  async begin(): Promise<CheckpointStore> {
    this.incarnation = await beginIncarnation(this.path, this.manifest.runId);
    const { number } = this.incarnation;
    return checkpointFile(this.file('checkpoint.json'), {
      incarnation: number,
      successor: incarnationPath(this.path, number + 1),
    });
  }

  /** Ends the incarnation and writes the summary, if there is one. */
  async end(summary?: object): Promise<void> {
    if (summary !== undefined) {
      const path = this.file('summary.json');
      await replaceFile(path, `${JSON.stringify(summary, null, 2)}\n`, `${path}.tmp`);
    }
    if (this.incarnation !== undefined) await endIncarnation(this.path, this.incarnation);
    this.incarnation = undefined;
  }

  /** Ends an incarnation that has done nothing. Removes the folder if it was created for this incarnation. */
  async undo(): Promise<void> {
    if (this.incarnation?.number !== 1) await this.end();
    else await this.remove();
    this.incarnation = undefined;
  }

  /** The last checkpoint, if there is one. */
  checkpoint(): Promise<Checkpoint | undefined> {
    return readCheckpoint(this.file('checkpoint.json'), mendBroken(this.manifest.runId));
  }

  /** The summary of the last incarnation that ended, if there is one. */
  async summary(): Promise<{ readonly outcome: string; readonly [key: string]: unknown } | undefined> {
    const summary = await readJson(this.file('summary.json'), mendBroken(this.manifest.runId));
    return summary as { outcome: string } | undefined;
  }

  /** The number of incarnations that the run has had. */
  async incarnations(): Promise<number> {
    return (await lastIncarnation(this.path))?.number ?? 0;
  }

  async state(): Promise<RunState> {
    const incarnation = await lastIncarnation(this.path);
    if (incarnation !== undefined && (await isAlive(incarnation))) return 'running';
    const [summary, checkpoint] = [await this.summary(), await this.checkpoint()];
    return summary?.outcome === 'completed' && checkpoint?.isComplete !== false ? 'finished' : 'unfinished';
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/**
 * The runs in this folder, oldest first; none if the folder does not exist. Each unreadable run goes to `onBroken`. Throws
 * MILLRACE_FILE if `runs` is not a folder.
 */
export async function listRuns(runs: string, onBroken?: (broken: BrokenRun) => void): Promise<RunFolder[]> {
  const names = await readdir(runs).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw new MillraceError('MILLRACE_FILE', `Expected ${runs} to be a folder of runs: ${describeThrown(error)}`, {
      cause: error,
    });
  });
  const folders: RunFolder[] = [];
  for (const runId of names.sort()) {
    const path = join(runs, runId);
    if (!(await isFile(join(path, 'manifest.json')))) continue;
    try {
      folders.push(await RunFolder.open(runs, runId));
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      onBroken?.({ runId, path, error });
    }
  }
  return folders.sort((a, b) => a.manifest.createdAt - b.manifest.createdAt);
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** Whether the value has the common fields of a manifest. The format of `request` is checked by its reader. */
function isManifest(found: unknown): found is RunManifest {
  if (typeof found !== 'object' || found === null) return false;
  const { runId, workflow, createdAt, cwd } = found as Partial<Record<keyof RunManifest, unknown>>;
  return [runId, workflow, cwd].every((text) => typeof text === 'string') && Number.isFinite(createdAt);
}
