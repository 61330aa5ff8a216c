/**
 * The files of a query. Each set of files has a name, which the query uses as a table.
 *
 * Guarantees: the query reads the files that were looked up when the run started, in their order. A run fails if a file
 * is missing, or changes while it is read. A resumed run refuses other files, or files with other content.
 */
import { resolve } from 'node:path';
import { describeValue, MillraceError, type Json, type OptionRule, type TouchedFile } from '../../connect/index.js';
import { identifyFile, touchedFile } from '../../connect/files.js';
import { isInStore } from '../files/file-place.js';
import { files, type FileSelection, type FoundFile } from '../files/file-selection.js';
import { identifier, quoted } from '../sql/identifiers.js';
import type { DuckdbSession } from './duckdb-session.js';

/** The formats that DuckDB reads without an extension. */
export type DuckdbFormat = 'csv' | 'json' | 'parquet';

/** Files that a query uses as one table. */
export interface DuckdbFileSet {
  /** A path, a pattern such as `in/*.csv`, or a list of them. */
  readonly path: string | readonly string[];
  /** Default: by the extension of the first name, without `.gz` or `.zst`. */
  readonly format?: DuckdbFormat;
  /**
   * Further arguments of DuckDB's `read_csv`, `read_json` or `read_parquet`, as SQL: `delim = ';', all_varchar = true`.
   */
  readonly options?: string;
}

/** Files by the name under which a query uses them. */
export type DuckdbFiles = Readonly<Record<string, string | readonly string[] | DuckdbFileSet>>;

const FORMATS: readonly DuckdbFormat[] = ['csv', 'json', 'parquet'];

/** The rule of `files`. */
export const duckdbFiles: OptionRule = {
  expected: "an object such as { sales: 'in/*.csv' }",
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, set]) => identifier.accepts(name) && isFileSet(set)),
};

function isFileSet(value: unknown): boolean {
  if (isPaths(value)) return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { path, format, options, ...others } = value as Record<string, unknown>;
  const isFormat = format === undefined || FORMATS.includes(format as DuckdbFormat);
  const isOptions = options === undefined || typeof options === 'string';
  return isPaths(path) && isFormat && isOptions && Object.keys(others).length === 0;
}

function isPaths(value: unknown): boolean {
  const isPath = (path: unknown): boolean => typeof path === 'string' && path !== '';
  return isPath(value) || (Array.isArray(value) && value.length > 0 && value.every(isPath));
}

/** The files of one name. */
interface NamedSet {
  readonly name: string;
  readonly selection: FileSelection;
  readonly format: DuckdbFormat;
  readonly options: string;
}

export class InputFiles {
  private readonly sets: readonly NamedSet[];
  /** The files as they were when they were opened. */
  private opened: readonly FoundFile[] = [];

  /** Throws MILLRACE_INVALID_OPTION if the format of a file is not known. */
  constructor(given: DuckdbFiles) {
    this.sets = Object.entries(given).map(([name, value]) => {
      const set = (isPaths(value) ? { path: value } : value) as DuckdbFileSet;
      const selection = files(set.path);
      refuseUrls(name, selection);
      return { name, selection, format: set.format ?? formatOf(name, selection), options: set.options ?? '' };
    });
  }

  touched(): readonly TouchedFile[] {
    return this.sets.flatMap(({ selection }) => selection.findNow().map((path) => touchedFile(path, 'read')));
  }

  /** The identity of the files, their content, and the way in which they are read. */
  async identify(): Promise<Json> {
    const sets: Record<string, Json> = {};
    for (const { name, selection, format, options } of this.sets) {
      // Missing files are reported when the source is opened.
      const found = await selection.find().catch(() => []);
      const content: Json[] = [];
      for (const { path } of found) content.push(await identifyFile(path));
      sets[name] = { format, options, files: content };
    }
    return sets;
  }

  /**
   * Makes a view of each set. Throws MILLRACE_FILE for missing files, and MILLRACE_SQL for files that cannot be read.
   */
  async open(session: DuckdbSession, of: string): Promise<void> {
    const opened: FoundFile[] = [];
    for (const { name, selection, format, options } of this.sets) {
      const found = await selection.find();
      opened.push(...found);
      const paths = found.map(({ path }) => literal(resolve(path))).join(', ');
      const further = options.trim() === '' ? '' : `, ${options}`;
      await session.run(
        `The files '${name}' of ${of}`,
        `CREATE VIEW ${quoted(name)} AS SELECT * FROM read_${format}([${paths}]${further})`,
      );
    }
    this.opened = opened;
  }

  /** Throws MILLRACE_FILE if a file has changed since it was opened. */
  async assertUnchanged(): Promise<void> {
    const now = new Map<string, FoundFile>();
    for (const { selection } of this.sets) for (const file of await selection.find()) now.set(file.path, file);
    for (const { path, size, changedAt } of this.opened) {
      const there = now.get(path);
      if (there?.size === size && there.changedAt === changedAt) continue;
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot read ${path}: ${there === undefined ? 'it was removed' : 'it changed'} while it was read. Let no other program write it during a run`,
      );
    }
  }
}

/** DuckDB opens the files itself, and can open only files on the disk without an extension. */
function refuseUrls(name: string, { paths }: FileSelection): void {
  const url = paths.find(isInStore);
  if (url === undefined) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`files.${name}\` to be files of the disk, got ${describeValue(url)}. Name it in the query instead, and load the extension httpfs in \`setup\``,
  );
}

/** A text as a literal of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const ENDINGS: Readonly<Record<string, DuckdbFormat>> = {
  csv: 'csv',
  tsv: 'csv',
  json: 'json',
  ndjson: 'json',
  jsonl: 'json',
  parquet: 'parquet',
};

function formatOf(name: string, { paths }: FileSelection): DuckdbFormat {
  const [path = ''] = paths;
  const ending = /\.(\w+)(?:\.(?:gz|zst))?$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const format = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
  if (format !== undefined) return format;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`files.${name}\` to end in .csv, .tsv, .json, .ndjson, .jsonl or .parquet, got ${describeValue(path)}. Or name its \`format\``,
  );
}
