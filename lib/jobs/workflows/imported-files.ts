/**
 * The files that a module imports, found in its text.
 *
 * Guarantees: nothing is loaded, so a file that does not load is included; there are at most MAX_FILES.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { SCRIPTS } from './workflow-files.js';
import { isTypeScript } from '../../workers/typescript.js';

/** The most files to look at. */
const MAX_FILES = 1000;

/** `from './x'`, `import './x'`, `import('./x')` and `require('./x')`. */
const IMPORTS = /\b(?:from|import|require)\s*\(?\s*(['"`])(\.{1,2}\/[^'"`\n]*)\1/g;
/** `new URL('./x', import.meta.url)`, which names a module for threads or the default configuration. */
const URLS = /(\bdefaultConfig\s*:\s*)?\bnew\s+URL\(\s*(['"`])(\.{1,2}\/[^'"`\n]*)\2/g;

/** Other names of the file that an import may mean. */
const MEANINGS: readonly (readonly [ending: RegExp, replacements: readonly string[]])[] = [
  [/\.js$/, ['.ts', '.tsx']],
  [/\.mjs$/, ['.mts']],
  [/\.cjs$/, ['.cts']],
  [/$/, ['.js', '.ts', '.json', '/index.js', '/index.ts']],
];

/** The modules, and all files that they import, each once. Paths are absolute. */
export function filesImportedBy(modules: readonly string[]): readonly string[] {
  const found = new Set(modules);
  // The set grows during the loop.
  for (const path of found) {
    for (const imported of importsOf(path)) if (found.size < MAX_FILES) found.add(imported);
  }
  return [...found];
}

function importsOf(path: string): readonly string[] {
  const folder = dirname(path);
  const text = textOf(path);
  const imports = [...text.matchAll(IMPORTS)].map((match) => resolve(folder, String(match[2])));
  // Other URLs may name result files.
  const urls = [...text.matchAll(URLS)].map((match) => [match[1], resolve(folder, String(match[3]))] as const);
  return [
    ...imports.map(meantBy),
    ...urls.filter(([config, file]) => config !== undefined || isScript(file)).map(([, file]) => meantBy(file)),
  ];
}

function meantBy(path: string): string {
  const others = MEANINGS.flatMap(([ending, replacements]) =>
    ending.test(path) ? replacements.map((replacement) => path.replace(ending, replacement)) : [],
  );
  return [path, ...others].find(isFile) ?? path;
}

/** The text of a script; '' for other files, and for a file that cannot be read. */
export function textOf(path: string): string {
  try {
    return isScript(path) ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}

function isScript(path: string): boolean {
  return SCRIPTS.includes(extname(path)) || isTypeScript(path);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
