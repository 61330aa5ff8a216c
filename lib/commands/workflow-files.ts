/**
 * The workflow files that have a name in the current folder: those in its folder `workflows`.
 *
 * Guarantees: nothing is loaded; a TypeScript file counts where it can be run and no JavaScript file was made from it beside
 * it; declarations of types and tests do not count.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { canRunTypeScript, isTypeScript } from '../workers/typescript.js';

const FOLDER = 'workflows';

/** The endings of the names of JavaScript modules. */
export const SCRIPTS: readonly string[] = ['.js', '.mjs', '.cjs'];

/** `workflows/x.js` and `workflows/x/index.js` of the current folder, also with `.ts`, in order. */
export function localWorkflowFiles(): string[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER)
    .flatMap((name) => {
      const path = join(FOLDER, name);
      if (isWorkflowFile(path)) return [path];
      return ['index.js', 'index.ts']
        .map((index) => join(path, index))
        .filter(isWorkflowFile)
        .slice(0, 1);
    })
    .sort();
}

/** The name a file is known by: that of the file, or of the folder of an `index`. */
export function nameOfFile(file: string): string {
  const stem = basename(file, extname(file));
  return stem === 'index' ? basename(dirname(file)) : stem;
}

function isWorkflowFile(path: string): boolean {
  if (!existsSync(path) || !statSync(path).isFile()) return false;
  const extension = extname(path);
  if (SCRIPTS.includes(extension)) return true;
  if (!isTypeScript(path) || /\.(test|spec)\.[cm]?tsx?$/.test(path)) return false;
  const stem = path.slice(0, -extension.length);
  return !SCRIPTS.some((script) => existsSync(stem + script)) && canRunTypeScript(resolve(path));
}
