/**
 * Hashes the code of a module: its file and all files that it imports by relative paths, directly or indirectly.
 *
 * Guarantees: a change in one of these files changes the hash; moving all of them together does not. Imports are found
 * by a search in the text, so an import in a comment counts as well. Not covered: packages and their versions, imports
 * with a computed path, and values from outside, such as the environment.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MillraceError, describeValue } from '../model/errors.js';
import { fileError, systemCodeOf } from '../storage/file-errors.js';

/** The hash, and the number of files that it covers. */
export interface CodeHash {
  readonly hash: string;
  readonly files: number;
}

/** The most files. A module with more files is a bundle in pieces, and reading it would delay each run. */
const MOST_FILES = 5000;

/** `from './x.js'`, `import './x.js'`, `import('./x.js')`, `new URL('./x.js'`, `require('./x.cjs')`. */
const IMPORTS = /\b(?:from\s*|import\s*\(?\s*|require\s*\(\s*|new\s+URL\s*\(\s*)(['"`])(\.{1,2}\/[^'"`\n]+)\1/g;

/** The extension of compiled code, and that of its source, which runs where Node strips types. */
const SOURCES = [
  [/\.js$/, '.ts'],
  [/\.mjs$/, '.mts'],
  [/\.cjs$/, '.cts'],
] as const;

/** Hashes the code of a module. Rejects with MILLRACE_INVALID_OPTION or MILLRACE_FILE if it cannot be read. */
export async function codeHash(module: string | URL): Promise<CodeHash> {
  const first = pathOf(module);
  const texts = new Map<string, string | undefined>();
  const waiting = [first];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (texts.has(path)) continue;
    const text = await textOf(path, path === first);
    texts.set(path, text);
    if (text === undefined) continue;
    if (texts.size > MOST_FILES) throw tooMany(first);
    if (!/\.[cm]?[jt]sx?$/.test(path)) continue;
    for (const [, , specifier] of text.matchAll(IMPORTS)) {
      const imported = importedPath(specifier as string, path);
      if (imported !== undefined) waiting.push(...candidates(imported));
    }
  }
  const hash = createHash('sha256');
  const found = [...texts].flatMap(([path, text]) =>
    text === undefined ? [] : [[relative(dirname(first), path), text] as const],
  );
  for (const [path, text] of found.sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${path.length}:${path}${text.length}:${text}`);
  }
  return { hash: hash.digest('hex'), files: found.length };
}

/** The path of a specifier; undefined if it names no file, for example because it stands in a comment. */
function importedPath(specifier: string, from: string): string | undefined {
  try {
    return fileURLToPath(plain(new URL(specifier, pathToFileURL(from))));
  } catch {
    return undefined;
  }
}

/** The endings that loaders of CommonJS and of TypeScript add to a specifier without one. */
const ENDINGS = ['.js', '.ts', '.tsx', '.jsx', '.mjs', '.mts', '.cjs', '.cts', '.json'];

/**
 * The paths of compiled code and of its source: it is not known here which of the two runs. A specifier without an
 * extension may name a file with any of them, or a folder.
 */
function candidates(path: string): string[] {
  const sources = SOURCES.filter(([js]) => js.test(path)).map(([js, ts]) => path.replace(js, ts));
  const isWhole = /\.([cm]?[jt]sx?|json)$/.test(path);
  const folder = path.replace(/\/$/, '');
  const added = isWhole ? [] : ENDINGS.flatMap((ending) => [`${folder}${ending}`, `${folder}/index${ending}`]);
  return [path, ...sources, ...added];
}

function pathOf(module: string | URL): string {
  try {
    return fileURLToPath(plain(new URL(module)));
  } catch {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`module\` of \`memo\` to be the URL of a file, such as import.meta.url, got ${describeValue(String(module))}. Give a \`version\` in its place`,
    );
  }
}

/** Removes the query and the fragment: a loader adds a query to load a changed module again. */
function plain(url: URL): URL {
  url.search = '';
  url.hash = '';
  return url;
}

/** Undefined for an imported file that does not exist: the import is in a comment, or fails when it is executed. */
async function textOf(path: string, isFirst: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    const isMissing = ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCodeOf(error) ?? '');
    if (isMissing && !isFirst) return undefined;
    throw fileError('read', path, error, 'code');
  }
}

function tooMany(module: string): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`module\` of \`memo\` to import at most ${MOST_FILES} files, but ${module} imports more. Give a \`version\` in its place`,
  );
}
