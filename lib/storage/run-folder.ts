/**
 * The folder of one run.
 *
 * ```
 * <runs>/<run id>/manifest.json           the request for the run
 *                 incarnation-1.json, …   the processes that work, or have worked, on it
 *                 checkpoint.json         the progress
 *                 checkpoint-state-….log  the state of boundaries
 *                 checkpoint.json.previous   the checkpoint before the last one
 *                 dead-letters.ndjson     the records that were given up, unless the workflow names another place
 *                 events.ndjson           the events
 *                 cluster.json            the identity of a run whose progress is on a cluster
 *                 plan.json               the plan of the workflow, to explain the run
 *                 summary.json            the end of its last incarnation
 *                 report.html             the report, once it was requested
 * ```
 *
 * Guarantees: each file has a checksum, so a change of any byte is noticed and the file is named. The folder belongs to
 * the process of the last incarnation; a process that was replaced writes nothing more.
 */
import { existsSync } from 'node:fs';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Checkpoint, CheckpointStore, Json } from '../model/checkpoint.js';
import { MillraceError, describeThrown } from '../model/errors.js';
import { mendBroken, type BrokenRun } from './broken-run.js';
import { checkpointFile, lastCheckpoint, replaceFile, type FoundCheckpoint } from './checkpoint-file.js';
import {
  beginIncarnation,
  damagedIncarnations,
  endIncarnation,
  incarnationPath,
  isAlive,
  lastAtWork,
  lastIncarnation,
  type OwnIncarnation,
} from './incarnations.js';
import { fileError, systemCodeOf } from './file-errors.js';
import type { RunOutcome } from '../model/ports.js';
import { readSealed } from './read-json.js';
import { seal } from './sealed.js';
import { makeFolder } from './make-folder.js';

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
  | 'dead-letters.ndjson'
  | 'events.ndjson'
  | 'summary.json'
  | 'checkpoint.json'
  | 'broken-law.json'
  | 'cluster.json'
  | 'plan.json'
  | 'report.html';

/** The state of a run, seen from another process. */
export type RunState = 'running' | 'unfinished' | 'finished';

/** The summary of an incarnation. */
export interface KeptSummary {
  readonly format: 1;
  readonly outcome: string;
  /** The number of the incarnation that wrote it. */
  readonly incarnation: number;
  readonly [key: string]: unknown;
}

export class RunFolder {
  readonly path: string;
  readonly manifest: RunManifest;
  private own: OwnIncarnation | undefined;

  private constructor(path: string, manifest: RunManifest) {
    this.path = path;
    this.manifest = manifest;
  }

  /** Creates the folder of a new run. Throws MILLRACE_FILE if that fails, also if there is a run with this id. */
  static async create(runs: string, manifest: RunManifest): Promise<RunFolder> {
    const path = join(runs, manifest.runId);
    const file = join(path, 'manifest.json');
    try {
      // Records and configurations are private, so only the owner may read the folder.
      makeFolder(runs, 0o700);
      // Not recursive: if two processes create the same run, one of them is refused.
      await mkdir(path, { mode: 0o700 });
      await replaceFile(file, seal(manifest, 2), `${file}.tmp`);
    } catch (error) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot make the folder ${path} of the run: ${whyNoFolder(runs, path, error)}. Name another place for runs, or keep none`,
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
    const manifest = basename(path) === runId ? await readSealed(file, mendBroken(runId)) : undefined;
    if (manifest === undefined) {
      // Ids are random, so an id with a similar spelling is unlikely to be the intended one.
      const newest = (await listRuns(runs, () => undefined)).at(-1)?.manifest;
      const hint =
        newest === undefined ? 'None is kept there' : `The newest is '${newest.runId}' of ${newest.workflow}`;
      throw new MillraceError('MILLRACE_UNKNOWN_RUN', `There is no run '${runId}' in ${runs}. ${hint}`);
    }
    if (!isManifest(manifest) || manifest.runId !== runId) {
      throw new MillraceError('MILLRACE_FILE', `${file} is not the manifest of a run: ${mendBroken(runId)}`);
    }
    return new RunFolder(path, manifest);
  }

  /** The path of a file of the run. */
  file(name: RunFile): string {
    return join(this.path, name);
  }

  /**
   * Begins an incarnation for this process. Throws MILLRACE_LOCKED if another process works on the run, and
   * MILLRACE_FILE if the folder cannot be written.
   */
  async begin(): Promise<CheckpointStore> {
    const own = await beginIncarnation(this.path, this.manifest.runId).catch((error: unknown) => {
      throw fileError('write', this.path, error);
    });
    this.own = own;
    const { number } = own.incarnation;
    const store = checkpointFile(this.file('checkpoint.json'), {
      incarnation: number,
      successor: incarnationPath(this.path, number + 1),
    });
    return {
      ...store,
      assertOwned: () => {
        own.lease.assertHeld();
      },
      whenLost: (listener) => {
        own.lease.whenLost(listener);
      },
    };
  }

  /** False once another process has taken over the run from this one. */
  get isOwned(): boolean {
    return this.own?.lease.isHeld() !== false;
  }

  /**
   * Ends the incarnation and writes the summary, if there is one. Writes nothing if another process has taken over the
   * run. Throws MILLRACE_FILE if the folder cannot be written.
   */
  async end(summary?: { readonly outcome: RunOutcome }): Promise<void> {
    const { own } = this;
    if (own === undefined) return;
    this.own = undefined;
    const path = this.file('summary.json');
    try {
      if (summary !== undefined && own.lease.isHeld()) {
        const { number } = own.incarnation;
        await replaceFile(path, seal({ format: 1, incarnation: number, ...summary }, 2), `${path}.tmp`);
      }
    } catch (error) {
      throw fileError('write', path, error);
    } finally {
      // Without this record, the incarnation still is over when its process has ended.
      await endIncarnation(this.path, own, summary?.outcome ?? null).catch(() => false);
    }
  }

  /** Ends an incarnation that has done no work. Removes the folder if it was created for this incarnation. */
  async undo(): Promise<void> {
    const isFirst = this.own?.incarnation.number === 1;
    await this.end();
    if (isFirst) await this.remove();
  }

  /** The last checkpoint that can be used, if there is one. */
  async checkpoint(): Promise<Checkpoint | undefined> {
    return (await this.progress()).checkpoint;
  }

  /** The last checkpoint that can be used, and the damage if it is not the last one that was written. */
  progress(): Promise<FoundCheckpoint> {
    return lastCheckpoint(this.file('checkpoint.json'), mendBroken(this.manifest.runId));
  }

  /** A sentence for each file that is damaged, though the run can be used without it. Each names its file. */
  async damages(): Promise<string[]> {
    const { damage } = await this.progress();
    const incarnations = (await damagedIncarnations(this.path)).map(
      (path) => `${path} is damaged: the disk or another program has changed it`,
    );
    return [...(damage === undefined ? [] : [damage.message]), ...incarnations];
  }

  /** The summary of the last incarnation that ended, if there is one. */
  async summary(): Promise<KeptSummary | undefined> {
    const path = this.file('summary.json');
    const fix = mendBroken(this.manifest.runId);
    const summary = await readSealed(path, fix);
    if (summary === undefined || isSummary(summary)) return summary;
    throw new MillraceError('MILLRACE_FILE', `${path} is not the summary of a run: ${fix}`);
  }

  /** The number of incarnations that the run has had. */
  async incarnations(): Promise<number> {
    return (await lastIncarnation(this.path))?.number ?? 0;
  }

  async state(): Promise<RunState> {
    const incarnation = await lastIncarnation(this.path);
    if (incarnation !== undefined && (await isAlive(this.path, incarnation))) return 'running';
    const [summary, { checkpoint, damage }] = [await this.summary(), await this.progress()];
    // A later incarnation, such as a replay of dead letters, may have died at work.
    const isLast = summary?.incarnation === (await lastAtWork(this.path))?.number;
    const isOver = damage !== undefined || checkpoint?.isComplete !== false;
    return isLast && isOver && summary?.outcome === 'completed' ? 'finished' : 'unfinished';
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/**
 * The runs in this folder, oldest first; none if the folder does not exist. Each unreadable run goes to `onBroken`.
 * Throws MILLRACE_FILE if `runs` is not a folder.
 */
export async function listRuns(runs: string, onBroken?: (broken: BrokenRun) => void): Promise<RunFolder[]> {
  const names = await readdir(runs).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return [];
    const isFile = systemCodeOf(error) === 'ENOTDIR';
    const why = isFile ? 'it is a file. Name a folder' : `${describeThrown(error)}. Name another folder`;
    throw new MillraceError('MILLRACE_FILE', `Expected ${runs} to be a folder of runs: ${why}`, { cause: error });
  });
  const folders: RunFolder[] = [];
  for (const runId of names.sort()) {
    const path = join(runs, runId);
    if (!(await exists(join(path, 'manifest.json')))) continue;
    try {
      folders.push(await RunFolder.open(runs, runId));
    } catch (error) {
      onBroken?.({ runId, path, error: fileError('read', path, error) });
    }
  }
  return folders.sort((a, b) => a.manifest.createdAt - b.manifest.createdAt);
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    // A folder that this user may not search counts as the folder of a run that cannot be read.
    (error: unknown) => !['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? ''),
  );
}

function whyNoFolder(runs: string, path: string, error: unknown): string {
  const code = systemCodeOf(error);
  if (code === 'EEXIST' && existsSync(path)) return 'there is a run with this id';
  if (code === 'ENOTDIR' || code === 'EEXIST') return `${runs} is a file`;
  return code === 'ENOSPC' ? 'the disk is full' : describeThrown(error);
}

/** The latest time that a date can have, in milliseconds since 1970. */
const LATEST = 8.64e15;

/** Whether the value has the common fields of a manifest. The format of `request` is checked by its reader. */
function isManifest(found: unknown): found is RunManifest {
  if (typeof found !== 'object' || found === null) return false;
  const { format, runId, workflow, createdAt, cwd, deadLetters } = found as Partial<Record<keyof RunManifest, unknown>>;
  const hasTexts = [runId, workflow, cwd].every((text) => typeof text === 'string');
  const isTime = typeof createdAt === 'number' && Math.abs(createdAt) <= LATEST;
  return format === 1 && hasTexts && isTime && (deadLetters === null || typeof deadLetters === 'string');
}

function isSummary(found: unknown): found is KeptSummary {
  if (typeof found !== 'object' || found === null) return false;
  const { format, outcome, incarnation } = found as Partial<Record<keyof KeptSummary, unknown>>;
  return format === 1 && typeof outcome === 'string' && typeof incarnation === 'number';
}
