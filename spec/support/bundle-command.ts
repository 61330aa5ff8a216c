/**
 * Runs before all specs: bundles the command if `tsc` has compiled something since, so that specs start what users
 * start.
 */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMPILED = [
  'dist/tsconfig.tsbuildinfo',
  'dist/mock-server/tsconfig.tsbuildinfo',
  'dist/workflows/tsconfig.tsbuildinfo',
];

export default async function bundleCommand(): Promise<void> {
  const bundledAtMs = changedAtMs('dist/command/LICENSES.txt');
  if (COMPILED.every((path) => changedAtMs(path) < bundledAtMs)) return;
  await promisify(execFile)('npm', ['run', 'bundle'], { cwd: ROOT });
}

/** 0 if there is no such file. */
function changedAtMs(path: string): number {
  return statSync(ROOT + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
