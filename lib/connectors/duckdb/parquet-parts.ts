/**
 * The part files of a Parquet file that is being written: its rows so far, which are joined at the end.
 *
 * A Parquet file is readable only with its end, so it cannot be continued after a crash as a text file can. Each part
 * is a whole Parquet file beside the result, and is never changed.
 *
 * Guarantees: a part is durable when `add` has resolved. Each incarnation of a run uses file names of its own, so a
 * process that wakes up after it was replaced cannot change the parts of another incarnation. Parts that are not in the
 * checkpoint are removed when the run is opened.
 */
import { randomBytes } from 'node:crypto';
import { MillraceError, type Json } from '../../connect/index.js';
import type { ParquetPlace } from './parquet-place.js';

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
  private readonly place: ParquetPlace;
  private readonly token = newToken();
  private readonly earlier: readonly Series[];
  private own = 0;
  private rows: number;

  private constructor(place: ParquetPlace, from: PartsPoint | undefined) {
    this.place = place;
    this.earlier = from?.series ?? [];
    this.rows = from?.rows ?? 0;
  }

  /**
   * Opens the parts of the result at this place, up to this point. Removes all other parts. Throws MILLRACE_RESUME if a
   * part is missing.
   */
  static async open(place: ParquetPlace, from: PartsPoint | undefined): Promise<ParquetParts> {
    const parts = new ParquetParts(place, from);
    const known = parts.paths;
    const missing = from && (await missingPart(place, from));
    if (missing !== undefined) {
      throw new MillraceError(
        'MILLRACE_RESUME',
        `Cannot continue to write ${place.end}: ${missing}, which has a part of its rows, is gone. Put it back, or start a new run`,
      );
    }
    await removeParts(place, known);
    return parts;
  }

  /** The paths on the disk at which the parts can be read, in the order of their rows. */
  async locals(): Promise<readonly string[]> {
    const locals: string[] = [];
    for (const path of this.paths) locals.push(await this.place.local(path));
    return locals;
  }

  /** The files, in the order of their rows. */
  private get paths(): readonly string[] {
    return pathsOf(this.place.end, this.series);
  }

  get point(): PartsPoint {
    return { series: this.series, rows: this.rows };
  }

  /** Adds a part with this number of rows. */
  async add(rows: number, write: WritePart): Promise<void> {
    const path = partPath(this.place.end, this.token, this.own);
    await write(await this.place.local(path));
    await this.place.keep(path);
    this.own++;
    this.rows += rows;
  }

  /** Removes all parts. */
  remove(): Promise<void> {
    return removeParts(this.place, []);
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

/** The first part of this point that is missing; undefined if all parts exist. */
export async function missingPart(place: ParquetPlace, { series }: PartsPoint): Promise<string | undefined> {
  for (const path of pathsOf(place.end, series)) {
    if (!(await place.has(path))) return path;
  }
  return undefined;
}

function pathsOf(end: string, series: readonly Series[]): string[] {
  return series.flatMap(({ token, parts }) => Array.from({ length: parts }, (_, i) => partPath(end, token, i)));
}

async function removeParts(place: ParquetPlace, known: readonly string[]): Promise<void> {
  const start = `${place.end}.`;
  for (const path of await place.siblings()) {
    const isPart = path.startsWith(start) && /^[0-9a-f]{12}-\d+\.part$/.test(path.slice(start.length));
    if (isPart && !known.includes(path)) await place.remove(path);
  }
}
