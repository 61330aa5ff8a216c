/**
 * The folder of one run: what was asked for, how far it has come, what was given up, what happened, how it ended.
 *
 * ```
 * <runs>/<run id>/manifest.json         what was asked for
 *                 incarnation-1.json, …        who works, or worked, on it
 *                 checkpoint.json       how far it has come
 *                 dead-letters.ndjson   what was given up, unless the workflow names another place
 *                 events.ndjson         what happened
 *                 summary.json          how its last incarnation ended
 *                 report.html           all of it to look at, once somebody asked for it
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

/** What was asked for. */
export interface RunManifest {
  readonly format: 1;
  readonly runId: string;
  readonly workflow: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** The folder that paths were relative to. */
  readonly cwd: string;
  /** Where its dead letters are; null where they are not kept. */
  readonly deadLetters: string | null;
  /** How to ask for it again; whoever made the folder knows how to read it. */
  readonly request: Json;
}

type RunFile =
  'dead-letters.ndjson' | 'events.ndjson' | 'summary.json' | 'checkpoint.json' | 'broken-law.json' | 'report.html';

/** How a run stands, seen from outside. */
export type RunState = 'running' | 'unfinished' | 'finished';

export class RunFolder {
  readonly path: string;
  readonly manifest: RunManifest;
  private incarnation: Incarnation | undefined;

  private constructor(path: string, manifest: RunManifest) {
    this.path = path;
    this.manifest = manifest;
  }

  /** Makes the folder of a new run. Throws MILLRACE_FILE where it cannot. */
  static async create(runs: string, manifest: RunManifest): Promise<RunFolder> {
    const path = join(runs, manifest.runId);
    const file = join(path, 'manifest.json');
    try {
      // Records and configurations are nobody else's business.
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

  /** Throws MILLRACE_UNKNOWN_RUN, with the nearest id there is, and MILLRACE_FILE where its manifest is broken. */
  static async open(runs: string, runId: string): Promise<RunFolder> {
    const path = join(runs, runId);
    const file = join(path, 'manifest.json');
    // An id is a name: a path would lead to folders that are none of a run.
    const manifest = basename(path) === runId ? await readJson(file, mendBroken(runId)) : undefined;
    if (manifest === undefined) {
      // Ids are random: one that is spelled alike is hardly the one that was meant.
      const newest = (await listRuns(runs, () => undefined)).at(-1)?.manifest;
      const hint =
        newest === undefined ? 'None is kept there' : `The newest is '${newest.runId}' of ${newest.workflow}`;
      throw new MillraceError('MILLRACE_UNKNOWN_RUN', `There is no run '${runId}' in ${runs}. ${hint}`);
    }
    if (!isManifest(manifest)) {
      throw new MillraceError('MILLRACE_FILE', `${file} is no manifest of a run: ${mendBroken(runId)}`);
    }
    return new RunFolder(path, manifest);
  }

  /** Where a file of the run stands. */
  file(name: RunFile): string {
    return join(this.path, name);
  }

  /** Takes the run over for this process. Throws MILLRACE_LOCKED where another works on it. */
  async begin(): Promise<CheckpointStore> {
    this.incarnation = await beginIncarnation(this.path, this.manifest.runId);
    const { number } = this.incarnation;
    return checkpointFile(this.file('checkpoint.json'), {
      incarnation: number,
      successor: incarnationPath(this.path, number + 1),
    });
  }

  /** Gives the run up again; what `summary` says of its end is kept. */
  async end(summary?: object): Promise<void> {
    if (summary !== undefined) {
      const path = this.file('summary.json');
      await replaceFile(path, `${JSON.stringify(summary, null, 2)}\n`, `${path}.tmp`);
    }
    if (this.incarnation !== undefined) await endIncarnation(this.path, this.incarnation);
    this.incarnation = undefined;
  }

  /** Nothing came of this incarnation: a folder that was made for it goes, and another is given up. */
  async undo(): Promise<void> {
    if (this.incarnation?.number !== 1) await this.end();
    else await this.remove();
    this.incarnation = undefined;
  }

  /** The last checkpoint, if there is one. */
  checkpoint(): Promise<Checkpoint | undefined> {
    return readCheckpoint(this.file('checkpoint.json'), mendBroken(this.manifest.runId));
  }

  /** What the last incarnation said of its end, if it got there. */
  async summary(): Promise<{ readonly outcome: string; readonly [key: string]: unknown } | undefined> {
    const summary = await readJson(this.file('summary.json'), mendBroken(this.manifest.runId));
    return summary as { outcome: string } | undefined;
  }

  /** How many incarnations the run has had. */
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

/** The runs in this place, oldest first; none where the place is not there. What cannot be read is told apart. */
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

/** Whether it has what is asked of it; who knows of more has written it. */
function isManifest(found: unknown): found is RunManifest {
  if (typeof found !== 'object' || found === null) return false;
  const { runId, workflow, createdAt, cwd } = found as Partial<Record<keyof RunManifest, unknown>>;
  return [runId, workflow, cwd].every((text) => typeof text === 'string') && Number.isFinite(createdAt);
}
