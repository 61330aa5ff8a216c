/**
 * The part files of a Parquet file that is being written: its rows so far, which are joined at the end.
 *
 * A Parquet file is readable only with its end, so it cannot be continued after a crash as a text file can. Each part
 * is a whole Parquet file beside the result, and is never changed.
 *
 * Guarantees: a part is durable when `write` has resolved. An incarnation of a run writes only names of its own, so a
 * process that wakes up after it was replaced cannot change a part of another. Parts that no checkpoint knows are
 * removed when the run is opened.
 */
import { randomBytes } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MillraceError, type Json } from '../../connect/index.js';
import { syncData, syncFolder } from '../../connect/files.js';

/** The parts of one incarnation: `parts` of them, named by its token. */
interface Series {
  readonly [name: string]: Json;
  readonly token: string;
  readonly parts: number;
}

/** The rows at a checkpoint. */
export interface PartsPoint {
  readonly [name: string]: Json;
  /** The parts of each incarnation, in order. */
  readonly series: readonly Series[];
  readonly rows: number;
}

/** Writes the current rows to a new Parquet file at this path. */
export type WritePart = (path: string) => Promise<void>;

export class ParquetParts {
  private readonly end: string;
  private readonly token = newToken();
  private readonly earlier: readonly Series[];
  private own = 0;
  private rows: number;

  private constructor(end: string, from: PartsPoint | undefined) {
    this.end = end;
    this.earlier = from?.series ?? [];
    this.rows = from?.rows ?? 0;
  }

  /**
   * The parts of the result at `end`, from this point on. Removes all other parts. Throws MILLRACE_RESUME if a part is
   * missing.
   */
  static async open(end: string, from: PartsPoint | undefined): Promise<ParquetParts> {
    const parts = new ParquetParts(end, from);
    const known = parts.paths;
    const missing = from && (await missingPart(end, from));
    if (missing !== undefined) {
      throw new MillraceError(
        'MILLRACE_RESUME',
        `Cannot continue to write ${end}: ${missing}, which has a part of its rows, is gone. Put it back, or start a new run`,
      );
    }
    await removeParts(end, known);
    return parts;
  }

  /** The files, in the order of their rows. */
  get paths(): readonly string[] {
    return pathsOf(this.end, this.series);
  }

  get point(): PartsPoint {
    return { series: this.series, rows: this.rows };
  }

  /** Adds a part with this number of rows. */
  async add(rows: number, write: WritePart): Promise<void> {
    const path = partPath(this.end, this.token, this.own);
    await write(path);
    await syncFile(path);
    await syncFolder(dirname(path));
    this.own++;
    this.rows += rows;
  }

  /** Removes all parts. */
  remove(): Promise<void> {
    return removeParts(this.end, []);
  }

  private get series(): readonly Series[] {
    return this.own === 0 ? this.earlier : [...this.earlier, { token: this.token, parts: this.own }];
  }
}

/** A name for the parts of one incarnation. */
export function newToken(): string {
  return randomBytes(6).toString('hex');
}

/** The path of a part of the result at `end`. */
export function partPath(end: string, token: string, index: number): string {
  return `${end}.${token}-${index}.part`;
}

/** The first part of this point that is not there; undefined if all are. */
export async function missingPart(end: string, { series }: PartsPoint): Promise<string | undefined> {
  for (const path of pathsOf(end, series)) {
    const isThere = await stat(path).then(
      (facts) => facts.isFile(),
      () => false,
    );
    if (!isThere) return path;
  }
  return undefined;
}

function pathsOf(end: string, series: readonly Series[]): string[] {
  return series.flatMap(({ token, parts }) => Array.from({ length: parts }, (_, i) => partPath(end, token, i)));
}

/** Makes the content of a file durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await syncData(handle);
  } finally {
    await handle.close();
  }
}

async function removeParts(end: string, known: readonly string[]): Promise<void> {
  const folder = dirname(end);
  const start = `${basename(end)}.`;
  // By name, because a folder can be written in several ways: './out', 'out/.'.
  const kept = new Set(known.map((path) => basename(path)));
  for (const name of await readdir(folder)) {
    const isPart = name.startsWith(start) && /^[0-9a-f]{12}-\d+\.part$/.test(name.slice(start.length));
    if (isPart && !kept.has(name)) await rm(join(folder, name), { force: true });
  }
}
