/** The program of the executors, alone: what it does when Spark no longer reads it, and when its code ends it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import type { WorkerOrder } from '#lib/connectors/spark/executor-worker.js';

const WORKER = fileURLToPath(import.meta.resolve('#lib/connectors/spark/executor-worker.js'));
const MODULE = new URL('./modules/spark-work.js', import.meta.url).href;

function start(order: Partial<WorkerOrder>): ChildProcess {
  const all = { kind: 'map', key: 'id', work: { module: MODULE, export: 'negated', args: { factor: 1 } }, ...order };
  return spawn(process.execPath, [WORKER, Buffer.from(JSON.stringify(all)).toString('base64url')]);
}

it('a worker whose output nobody reads ends', async () => {
  const worker = start({ unreadMs: 500, heartbeatMs: 20 });
  // Its input is not over.
  worker.stdin?.write('{"id":1}\n');
  const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
});

it('a worker whose code exits has failed', async () => {
  const worker = start({ work: { module: MODULE, export: 'leaving' } });
  worker.stdout?.resume();
  worker.stdin?.end('{"id":1}\n');
  const [code] = (await once(worker, 'exit')) as [number | null];
  expect(code).toBe(70);
});

it('a worker writes a line per key, letters and counts, and gives signs of life meanwhile', async () => {
  const worker = start({ kind: 'fold', key: 'shop', work: { module: MODULE, export: 'shopTotals' } });
  let text = '';
  worker.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  worker.stdin?.write('{"shop":"a","amount":1}\n{"shop":"a","am');
  while (!text.includes('[]')) await once(worker.stdout as NodeJS.ReadableStream, 'data');
  worker.stdin?.end('ount":13}\n{"shop":"ü\\n","amount":-0.5}');
  const [code] = (await once(worker, 'close')) as [number | null];
  expect(code).toBe(0);
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('[]'))
    .map((line) => JSON.parse(line) as unknown);
  expect(lines).toEqual([
    [
      ...['r', 'a', { value: { shop: 'a', count: 1, sum: 1 / 3, amounts: [1] } }],
      [{ input: { shop: 'a', amount: 13 }, code: 'MILLRACE_TASK', message: 'unlucky' }],
      [],
    ],
    ['r', 'ü\n', { value: { shop: 'ü\n', count: 1, sum: -0.5 / 3, amounts: [-0.5] } }, [], []],
    ['t', expect.stringMatching(/^\0/), { in: 3, out: 2 }],
  ]);
});
