/**
 * Explains why Node cannot load an ES module: the package.json around it declares .js files as CommonJS, as the one of
 * `npm init -y` does.
 *
 * Guarantees: only a file that fails as CommonJS and is valid as an ES module is reported; other errors are left to the
 * import.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import type { NodeFacts } from '../place.js';

/** A sentence with the fix; undefined if the kind of the file is right. `path` is absolute. */
export function kindProblem(path: string, node: NodeFacts): string | undefined {
  if (extname(path) !== '.js') return undefined;
  const home = packageAround(path);
  if (home === undefined || !isCommonJsPackage(home)) return undefined;
  const source = readFileSync(path, 'utf8');
  if (isCommonJs(source) || !isModule(source, node)) return undefined;
  return `it is an ES module (it has import or export), and ${home} has "type": "commonjs". Change it to "type": "module" there, or name the file ${basename(path, '.js')}.mjs`;
}

/** The nearest package.json, as Node looks for it. */
function packageAround(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

function isCommonJsPackage(file: string): boolean {
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as { readonly type?: unknown } | null;
    return found?.type === 'commonjs';
  } catch {
    return false;
  }
}

function isCommonJs(source: string): boolean {
  try {
    compileFunction(source.replace(/^#!.*/, ''), ['exports', 'require', 'module', '__filename', '__dirname']);
    return true;
  } catch {
    return false;
  }
}

/** Checks the source with Node itself. This takes about 40 ms, and is done only for a file that fails as CommonJS. */
function isModule(source: string, node: NodeFacts): boolean {
  return spawnSync(node.path, ['--check', '--input-type=module', '-'], { input: source }).status === 0;
}
