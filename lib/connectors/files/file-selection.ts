/**
 * The files that a source reads: paths and patterns, looked up when a run starts and, if they are watched, while it
 * runs.
 *
 * Guarantees: the order is that of the given list, and within a pattern that of the names, whatever the file system
 * returns. Each path occurs once. A pattern matches only regular files, and none that a run of millrace is writing.
 */
import { readdirSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { normalize, resolve } from 'node:path';
import {
  checkOptions,
  count,
  describeValue,
  either,
  flag,
  madeBy,
  MillraceError,
  objectWith,
  type OptionRule,
  type OptionRules,
} from '../../connect/index.js';
import { fileError, systemCodeOf, type FileStore } from '../../connect/files.js';
import { isInStore, storeOf } from './file-place.js';
import { isPattern, matchPaths, type FolderEntry } from './glob.js';

/** Options of `files`. */
export interface FilesOptions {
  /** How many files are read at the same time. Default 1: the files are read in their order, one after another. */
  readonly parallel?: number;
  /**
   * Looks for new files during the run, which then ends only when it is drained or cancelled, or because of `idleMs`. A
   * file is read once two consecutive checks have found the same size and time of change. Default false.
   */
  readonly watch?: boolean;
  /** With `watch`: the time between two checks, in milliseconds. Default 1,000. */
  readonly everyMs?: number;
  /**
   * With `watch`: the run ends when no file has appeared for this time, in milliseconds. Default: it does not end by
   * itself.
   */
  readonly idleMs?: number;
}

const RULES: OptionRules<FilesOptions> = { parallel: count(), watch: flag, everyMs: count(), idleMs: count() };

/**
 * Several files for the `path` of a source: a path, a pattern such as `in/*.csv`, or a list of them. Each file is a
 * partition with numbers of its own, so a resumed run continues in each, also if files were added. Throws
 * MILLRACE_INVALID_OPTION for an empty list, and for options that do not fit.
 *
 * @example ndjsonSource({ path: files('in/*.ndjson', { parallel: 4 }) })
 * @example csvSource({ path: files(['2025.csv', '2026.csv']) })
 */
export function files(paths: string | readonly string[], options: FilesOptions = {}): FileSelection {
  checkOptions('files', options, RULES);
  const given = typeof paths === 'string' ? [paths] : paths;
  const isList = Array.isArray(given) && given.length > 0;
  if (!isList || !given.every((path) => typeof path === 'string' && path !== '')) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected files to be given a path, a pattern or a list of them, got ${describeValue(paths)}`,
    );
  }
  const isWatched = options.watch === true;
  if (!isWatched && (options.everyMs !== undefined || options.idleMs !== undefined)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      'Expected `everyMs` and `idleMs` of files only with `watch: true`',
    );
  }
  return new FileSelection(given, options);
}

/** A file as it was found. */
export interface FoundFile {
  /** The path as it was given or matched. */
  readonly path: string;
  readonly size: number;
  /** The time of the last change, in milliseconds since 1970. */
  readonly changedAt: number;
}

/** The files of a source, made by `files`. */
export class FileSelection {
  /** The paths and patterns, as they were given. */
  readonly paths: readonly string[];
  /** How many files are read at the same time. */
  readonly parallel: number;
  /** Whether the run looks for new files until it ends. */
  readonly isWatched: boolean;
  /** The time between two checks, in milliseconds. */
  readonly everyMs: number;
  /** The time without a new file after which a run ends, in milliseconds; undefined if it does not end by itself. */
  readonly idleMs: number | undefined;

  constructor(paths: readonly string[], { parallel = 1, watch = false, everyMs = 1000, idleMs }: FilesOptions) {
    this.paths = paths;
    this.parallel = parallel;
    this.isWatched = watch;
    this.everyMs = everyMs;
    this.idleMs = idleMs;
  }

  /** The paths and patterns, for messages. */
  get name(): string {
    const more = this.paths.length - 1;
    return more === 0 ? (this.paths[0] as string) : `${this.paths[0] ?? ''} and ${more} more`;
  }

  /**
   * Finds the files. Throws MILLRACE_FILE if a path without a pattern does not lead to a regular file, or if no file
   * matches a pattern, unless the files are watched. Throws MILLRACE_INVALID_OPTION for an invalid pattern.
   *
   * @param store the store of paths that are URLs; default: the one of their scheme.
   */
  async find(store?: FileStore): Promise<readonly FoundFile[]> {
    const found = new Map<string, FoundFile>();
    for (const given of this.paths) {
      const place = placeOf(await storeOf(given, store));
      const isMatched = isPattern(given) && (await place.look(given)) === undefined;
      const paths = isMatched ? (await matchedPaths(given, place)).filter(isReadable) : [given];
      let isAny = false;
      for (const path of paths) {
        const file = await place.lookAt(path, isMatched || this.isWatched);
        isAny ||= file !== undefined;
        if (file !== undefined) found.set(file.path, file);
      }
      if (isAny || this.isWatched) continue;
      throw new MillraceError(
        'MILLRACE_FILE',
        `No file matches ${given}${isInStore(given) ? '' : `, which was looked for from ${resolve('.')}`}; check the pattern`,
      );
    }
    return [...found.values()];
  }

  /**
   * The paths of the files that are there now, for the declaration of a task. Reports no errors of the file system, and
   * does not look into stores. Throws MILLRACE_INVALID_OPTION for an invalid pattern.
   */
  findNow(): readonly string[] {
    return [
      ...new Set(
        this.paths.flatMap((given) => {
          if (isInStore(given)) return isPattern(given) ? [] : [given];
          if (!isPattern(given) || statSync(given, { throwIfNoEntry: false })?.isFile() === true) return [given];
          return matchedPathsNow(given).filter((path) => isReadable(path) && isFileNow(path));
        }),
      ),
    ];
  }
}

/** The rule of an option that accepts a path or `files(…)`. */
export const pathOrFiles: OptionRule = either(
  { expected: 'a path', accepts: (value) => typeof value === 'string' && value !== '' },
  madeBy(FileSelection, '`files`'),
);

/** The rule of the option `store`. */
export const fileStore: OptionRule = objectWith('find', 'list', 'open', 'check', 'create', 'remove');

/** Where files are looked up. */
interface LookupPlace {
  /** A regular file, or undefined. */
  look(path: string): Promise<FoundFile | undefined>;
  /** A regular file. Throws MILLRACE_FILE if there is none, unless it `mayMiss`. */
  lookAt(path: string, mayMiss: boolean): Promise<FoundFile | undefined>;
  /** The entries of a folder, for patterns; undefined if there is none. */
  list(folder: string): Promise<readonly FolderEntry[] | undefined>;
}

function placeOf(store: FileStore | undefined): LookupPlace {
  if (store === undefined) return DISK;
  // A listing describes its files, so no separate request per file is needed.
  const listed = new Map<string, FoundFile>();
  return {
    look: (path) => store.find(path),
    lookAt: async (path, mayMiss) => {
      const file = listed.get(path) ?? (await store.find(path));
      if (file !== undefined || mayMiss) return file;
      throw new MillraceError('MILLRACE_FILE', `Cannot read ${path}: there is no such file; check the path`);
    },
    list: async (folder) => {
      const entries = await store.list(`${folder.replace(/\/+$/, '')}/`);
      for (const { file } of entries ?? []) if (file !== undefined) listed.set(file.path, file);
      return entries;
    },
  };
}

/** Files that a run of millrace has not finished yet. */
function isReadable(path: string): boolean {
  return !/\.part(?:\.copy|\.owner)?$/.test(path);
}

async function lookAt(path: string, mayMiss: boolean): Promise<FoundFile | undefined> {
  try {
    const facts = await stat(path);
    if (facts.isFile()) return { path: normalize(path), size: facts.size, changedAt: facts.mtimeMs };
    if (mayMiss) return undefined;
    if (facts.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot read ${path} as one of several files: it is a pipe, a socket or a device. Read it with a separate source`,
    );
  } catch (error) {
    // It was removed after it had been listed.
    if (mayMiss && systemCodeOf(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
}

const DISK: LookupPlace = {
  look: (path) => lookAt(path, true).catch(() => undefined),
  lookAt,
  list: async (folder) => {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (isNoFolder(error)) return undefined;
      throw fileError('read', folder, error);
    });
    return entries?.map(entryOf);
  },
};

function isFileNow(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function matchedPaths(pattern: string, place: LookupPlace): Promise<string[]> {
  const search = matchPaths(pattern);
  let step = search.next();
  while (step.done !== true) step = search.next(await place.list(step.value));
  return step.value;
}

function matchedPathsNow(pattern: string): string[] {
  const search = matchPaths(pattern);
  let step = search.next();
  while (step.done !== true) {
    let entries: readonly FolderEntry[] | undefined;
    try {
      entries = readdirSync(step.value, { withFileTypes: true }).map(entryOf);
    } catch {
      // The search at the start of the run reports it.
    }
    step = search.next(entries);
  }
  return step.value;
}

function entryOf(entry: { readonly name: string; isDirectory(): boolean }): FolderEntry {
  return { name: entry.name, isFolder: entry.isDirectory() };
}

function isNoFolder(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
