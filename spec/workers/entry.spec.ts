/** The entry of threads does nothing anywhere else, and loads little. */
import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

const ENTRY = import.meta.resolve('#lib/workers/entry.js');
const run = promisify(execFile);

it('refuses to run on the main thread', async () => {
  await expect(run(process.execPath, [fileURLToPath(ENTRY)])).rejects.toMatchObject({
    stderr: expect.stringContaining('cannot run by itself') as unknown,
  });
});

it('refuses a thread that millrace did not start', async () => {
  const failed = new Promise((_, reject) => new Worker(new URL(ENTRY)).on('error', reject));
  await expect(failed).rejects.toMatchObject({
    message: expect.stringContaining('cannot run by itself') as unknown,
  });
});

it('loads neither rxjs nor any other package', async () => {
  // Written at once: what a thread of hooks prints may be lost at the end of the process.
  const script = `
    import { Worker } from 'node:worker_threads';
    import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(
      "import { writeSync } from 'node:fs'; export async function resolve(name, context, next) { const found = await next(name, context); writeSync(1, found.url + ' '); return found; }"));
    await import(${JSON.stringify(ENTRY.replace('entry.js', 'thread-side.js'))});`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script]);
  expect(stdout).toContain('loaded-workload.js');
  expect(stdout).not.toContain('node_modules');
});
