/** The files that this process holds open, which shows a handle that was never closed. */
import { readdir, readlink } from 'node:fs/promises';

/** The open files whose path begins so; undefined where the system does not say. */
export async function openFilesIn(start: string): Promise<string[] | undefined> {
  const names = await readdir('/proc/self/fd').catch(() => undefined);
  if (names === undefined) return undefined;
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(start));
}
