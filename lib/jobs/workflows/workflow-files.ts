/**
 * The workflow files with a name in a place: those in its folder `workflows`.
 *
 * Guarantees: files are read, and not loaded. A TypeScript file counts if there is no compiled JavaScript file beside
 * it. It counts even if this Node cannot run it: the user then gets an error with the reason. Type declarations, tests,
 * and scripts that export no workflow do not count.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { isTypeScript, TYPESCRIPT_EXTENSIONS } from '../../workers/typescript.js';
import { absolutePath, type JobPlace } from '../place.js';

const FOLDER = 'workflows';

/** The endings of the names of JavaScript modules. */
export const SCRIPTS: readonly string[] = ['.js', '.mjs', '.cjs'];

/**
 * `workflows/x.js` and `workflows/x/index.js` of the place, also with `.ts`, in order; relative to the folder of the
 * place.
 */
export function localWorkflowFiles(place: JobPlace): string[] {
  const folder = absolutePath(place, FOLDER);
  if (!existsSync(folder)) return [];
  const isUsable = (path: string): boolean => isWorkflowFile(absolutePath(place, path));
  return readdirSync(folder)
    .flatMap((name) => {
      const path = join(FOLDER, name);
      if (isUsable(path)) return [path];
      return ['index.js', 'index.ts']
        .map((index) => join(path, index))
        .filter(isUsable)
        .slice(0, 1);
    })
    .sort();
}

/** The workflow name of a file: the name of the file, or of the folder if the file is an `index`. */
export function nameOfFile(file: string): string {
  const stem = basename(file, extname(file));
  return stem === 'index' ? basename(dirname(file)) : stem;
}

function isWorkflowFile(path: string): boolean {
  if (!isFile(path) || /\.(test|spec)\.[cm]?[jt]sx?$/.test(path)) return false;
  const extension = extname(path);
  if (!SCRIPTS.includes(extension)) {
    if (!isTypeScript(path)) return false;
    const stem = path.slice(0, -extension.length);
    if (SCRIPTS.some((script) => existsSync(stem + script))) return false;
  }
  return exportsWorkflow(path);
}

/** The names of the functions that define a workflow. They also occur in an import that renames them. */
const DEFINES = /\bdefineWorkflow\b|\bnew\s+Workflow\b/;
/** `export …`, `module.exports`, `exports.x` and `__esModule`. */
const EXPORTS =
  /(?:^|[;}\s])export\s*(?:[{*]|default\b|const\b|let\b|var\b|class\b|(?:async\s+)?function\b)|\bexports\b/;
/** `export … from './x'`. */
const REEXPORTS = /\bexport\s+(?:\*|\{[^}]*\})(?:\s*as\s+\w+)?\s*from\s*(['"])(\.{1,2}\/[^'"\n]*)\1/g;
/** `import … from './x'`. */
const IMPORTS = /\bimport\s+([\w$*{}\s,]+?)\s*from\s*(['"])(\.{1,2}\/[^'"\n]*)\2/g;
/** `export { … }` and `export default x`. */
const EXPORTED_NAMES = /\bexport\s*(?:\{([^}]*)\}|default\s+([\w$]+))/g;
/**
 * Matches comments and strings, which define nothing. Strings are matched first, because a string may contain the start
 * of a comment.
 */
const COMMENTS_AND_TEXTS = /(['"])(?:\\.|(?!\1)[^\\\n])*\1|`(?:\\.|[^\\`])*`|\/\*[\s\S]*?\*\/|\/\/.*/g;
/** The longest chain of files that export each other. */
const MAX_CHAIN = 5;

/**
 * Whether the text of a file exports a workflow: it exports something, and it calls `defineWorkflow`, or the file that
 * it exports from does. The file is not loaded, because loading a script runs it. A file that cannot be read counts, so
 * that its error is reported.
 *
 * @param path absolute.
 */
export function exportsWorkflow(path: string, chain = 0): boolean {
  if (/\.workflow\.[cm]?[jt]sx?$/.test(path)) return true;
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch {
    return chain === 0;
  }
  const code = source.replace(COMMENTS_AND_TEXTS, (found) => (/^['"`]/.test(found) ? "''" : ' '));
  if (!EXPORTS.test(code)) return false;
  if (DEFINES.test(code)) return true;
  if (chain === MAX_CHAIN) return false;
  return exportedFrom(source).some((from) =>
    meaningsOf(resolve(dirname(path), from)).some((file) => isFile(file) && exportsWorkflow(file, chain + 1)),
  );
}

/** The paths, as written in the text, of the files from which the text exports something. */

function exportedFrom(source: string): readonly string[] {
  const words = (text: string): readonly string[] => text.match(/[\w$]+/g) ?? [];
  const exported = new Set(
    [...source.matchAll(EXPORTED_NAMES)].flatMap(([, list = '', name = '']) => words(list + name)),
  );
  const imported = [...source.matchAll(IMPORTS)].filter(([, names = '']) =>
    words(names).some((name) => exported.has(name)),
  );
  return [
    ...[...source.matchAll(REEXPORTS)].map((match) => String(match[2])),
    ...imported.map((match) => String(match[3])),
  ];
}

/** The files that an import of this path may mean: TypeScript is imported under the name of its compiled file. */
function meaningsOf(path: string): readonly string[] {
  const stem = path.replace(/\.([cm]?)js$/, '');
  return [path, `${path}.js`, ...TYPESCRIPT_EXTENSIONS.map((extension) => stem + extension)];
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
