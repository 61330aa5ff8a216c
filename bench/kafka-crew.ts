/** A run that is spread over processes of this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { createRun, deleteRun } from 'millrace/lanes';
import { LanesFlow } from './kafka-lanes-flow.js';
import { cluster } from './kafka-work.js';

const WORKER = new URL('./kafka-worker-main.js', import.meta.url).pathname;

/** Resolves when the run is over. */
export async function workWith(processes: number, records: number): Promise<number> {
  const runId = randomUUID();
  const options = { workflow: LanesFlow.prepare({ records }), cluster: cluster(), runId, partitions: 4 };
  await createRun(options);
  const children = [...new Array<undefined>(processes)].map(() =>
    spawn(process.execPath, [WORKER, runId, String(records)], { stdio: 'inherit' }),
  );
  const codes = await Promise.all(children.map(async (child) => ((await once(child, 'exit')) as [number | null])[0]));
  await deleteRun(options);
  if (codes.some((code) => code !== 0)) throw new Error(`A worker ended with ${codes.join(', ')}`);
  return records;
}
