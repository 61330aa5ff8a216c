/** Processes of Node, the command of this package among them, and how long they take. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const CLI = `${PACKAGE_ROOT}dist/cli.js`;

/** The seconds from the start of a process of Node to its end. Rejects if it fails. */
export async function secondsOf(words: readonly string[], folder: string): Promise<number> {
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, words, { cwd: folder, stdio: 'ignore' });
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`node ${words.join(' ')} ended with ${child.exitCode ?? 'a signal'}`);
  return (performance.now() - startedAtMs) / 1000;
}

/** Throws if the command is not built. */
export function assertBuilt(): void {
  if (!existsSync(`${PACKAGE_ROOT}dist/command`)) {
    throw new Error('The command is not bundled: run `npm run build` first');
  }
}
