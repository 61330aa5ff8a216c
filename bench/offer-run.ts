/** OfferWorkFlow itself over generated members, against the mock server in its own process, file to file. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OfferWorkFlow } from '#workflows/index.js';
import { writeMemberFile } from '#workflows/offer/generate-members.js';
import { mockUpstream } from './mock-upstream.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});
const ROWS_PER_MEMBER = 2;

/**
 * Writes a member file with this number of members, once per process: a warm-up of the same size keeps this write out
 * of the samples.
 */
export async function memberFile(members: number): Promise<string> {
  const path = join(folder, `members-${members}.csv`);
  if (!written.has(path)) await writeMemberFile(path, { rows: members * ROWS_PER_MEMBER, seed: 7, members });
  written.add(path);
  return path;
}
const written = new Set<string>();

/** Runs the workflow; returns a checksum of the result file. */
export async function runOffer(members: number, transport: 'http' | 'ws'): Promise<number> {
  const { url, wsUrl } = await mockUpstream();
  const result = join(folder, 'result.csv');
  const urls =
    transport === 'ws'
      ? { ats_url: wsUrl, resp_url: wsUrl, offer_url: wsUrl }
      : { ats_url: `${url}/ml/ats/predict`, resp_url: `${url}/ml/resp/predict`, offer_url: `${url}/offer/assign` };
  await OfferWorkFlow.run({
    csv_path: await memberFile(members),
    result_output_path: result,
    performance_output_path: join(folder, 'performance.json'),
    as_of: '2025-03-14T21:25:33Z',
    ...urls,
  }).finished;
  return createHash('md5')
    .update(await readFile(result))
    .digest()
    .readUInt32BE();
}
