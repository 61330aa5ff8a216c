/** Generated member files, for the time of the process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeMemberFile } from '#workflows/offer/generate-members.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});
const written = new Set<string>();

/** Created once per process and size: a warm-up of the same size keeps this write out of the samples. */
export async function memberFile(rows: number): Promise<string> {
  const path = join(folder, `${rows}.csv`);
  if (!written.has(path)) await writeMemberFile(path, { rows, seed: 7 });
  written.add(path);
  return path;
}
