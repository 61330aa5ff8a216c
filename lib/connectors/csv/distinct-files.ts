/**
 * Keeps a result from being written over its own input.
 *
 * Promise: the same file is known under every name it has: another spelling of the path, a symbolic link, a hard link.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MillraceError } from '../../core/errors.js';

/** Throws MILLRACE_FILE where writing the output, or its `.part` on the way, would overwrite the input. */
export async function assertDistinctFiles(inputPath: string, outputPath: string): Promise<void> {
  if (await isSameFile(inputPath, outputPath)) {
    throw new MillraceError(
      'MILLRACE_FILE',
      `The output ${outputPath} is the same file as the input ${inputPath}: choose another path for the output`,
    );
  }
  if (await isSameFile(inputPath, `${outputPath}.part`)) {
    throw new MillraceError(
      'MILLRACE_FILE',
      `The output ${outputPath} is written to ${outputPath}.part first, which is the same file as the input ` +
        `${inputPath}: choose another path for the output`,
    );
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  if (resolve(one) === resolve(other)) return true;
  const [a, b] = await Promise.all([factsOf(one), factsOf(other)]);
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** Nothing for a file that is not there or not to be seen: reading or writing it will say why. */
function factsOf(path: string): Promise<{ readonly ino: bigint; readonly dev: bigint } | undefined> {
  return stat(path, { bigint: true }).catch(() => undefined);
}
