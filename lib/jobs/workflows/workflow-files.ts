/**
 * The workflow files with a name in a place: those in its folder `workflows`.
 *
 * Guarantees: nothing is loaded; a TypeScript file counts if it can be run and there is no compiled JavaScript file
 * beside it; type declarations and tests do not count.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { canRunTypeScript, isTypeScript } from '../../workers/typescript.js';
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
  if (!existsSync(path) || !statSync(path).isFile()) return false;
  const extension = extname(path);
  if (SCRIPTS.includes(extension)) return true;
  if (!isTypeScript(path) || /\.(test|spec)\.[cm]?tsx?$/.test(path)) return false;
  const stem = path.slice(0, -extension.length);
  return !SCRIPTS.some((script) => existsSync(stem + script)) && canRunTypeScript(path);
}
