/**
 * The entry of a measured child process: it loads the named side, then runs it for each request of its parent. It ends
 * when the parent disconnects. It does not force garbage collections: between runs they shrink the young generation,
 * which costs the next run a quarter of its rate, and the garbage is part of the cost of this side.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
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

const RESOLUTION_MS = 10;

async function measure(records: number): Promise<RunReply> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const startedAtMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const checksum = await run(records);
  const elapsedMs = performance.now() - startedAtMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  delay.disable();
  const loopDelayMs = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
  return {
    sample: {
      elapsedMs,
      cpuMs: (user + system) / 1000,
      maxRssKb: process.resourceUsage().maxRSS,
      loopDelayMs,
      checksum,
    },
  };
}
