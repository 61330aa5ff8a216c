/**
 * The entry of a measured child process: loads the side it is named, then runs it as often as its parent asks. Ends
 * when the parent disconnects. The collector is left alone: forced between runs it shrinks the young generation, which
 * costs the next run a quarter of its rate, and what garbage there is belongs to this side anyway.
 */
import { isSideName, SIDES } from './sides.js';
import type { RunReply, RunRequest } from './side-process.js';

const name = process.argv[2] ?? '';
if (!isSideName(name) || process.send === undefined) {
  console.error(`This file is started by the benchmark with the name of a side, got '${name}'`);
  process.exit(2);
}
const { run } = await SIDES[name]();

process.on('message', (request: RunRequest) => {
  measure(request.records).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});

async function measure(records: number): Promise<RunReply> {
  const startedAtMs = performance.now();
  const checksum = await run(records);
  const elapsedMs = performance.now() - startedAtMs;
  return { sample: { elapsedMs, maxRssKb: process.resourceUsage().maxRSS, checksum } };
}
