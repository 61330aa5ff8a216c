/**
 * The time until a user of the command line sees the first result: from the start of the process until the first row of
 * OfferWorkFlow is in the `.part` file of the result, with the start of the mock server, on the committed sample data.
 * The peer is `node -e 0`, the start of Node alone. The file is checked every 2 ms.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCase } from '../case.js';
import { assertBuilt, CLI, PACKAGE_ROOT, secondsOf } from '../command-line.js';
import { findingOf, roundsOf } from '../harness.js';

const LOOK_EVERY_MS = 2;
/** Longer than any machine needs; without it, a run without a row would be waited for until it ends. */
const GIVE_UP_AFTER_MS = 60_000;

export const cliFirstRecord: BenchCase = {
  name: 'cli-first-record',
  description: 'seconds from the start of the command line to the first row of the result, against node -e 0',
  goal: { on: 'ratio', is: 'at most', than: 5 },
  run: async (settings) => {
    assertBuilt();
    const ours: number[] = [];
    const theirs: number[] = [];
    settings.progress('warms up the files of both');
    await secondsToFirstRow();
    await secondsOf(['-e', '0'], PACKAGE_ROOT);
    for (let round = 0; round < roundsOf(settings); round++) {
      settings.progress(`sample ${round + 1}`);
      ours.push(await secondsToFirstRow());
      theirs.push(await secondsOf(['-e', '0'], PACKAGE_ROOT));
    }
    return findingOf(ours, theirs, { unit: 's', against: 'node -e 0' });
  },
};

async function secondsToFirstRow(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const result = join(folder, 'result.csv');
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, cliArguments(folder, result), {
    cwd: PACKAGE_ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-2000);
  });
  const exited = once(child, 'exit');
  try {
    while (!hasRow(`${result}.part`) && !hasRow(result)) {
      const waitedMs = performance.now() - startedAtMs;
      if (hasEnded(child) || waitedMs > GIVE_UP_AFTER_MS) {
        throw new Error(`The command line gave no row in ${(waitedMs / 1000).toFixed(1)} s. ${complaints.trim()}`);
      }
      await sleep(LOOK_EVERY_MS);
    }
    const seconds = (performance.now() - startedAtMs) / 1000;
    await exited;
    if (child.exitCode !== 0)
      throw new Error(`The command line ended with ${child.exitCode ?? 'a signal'}. ${complaints}`);
    return seconds;
  } finally {
    if (!hasEnded(child)) child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

function cliArguments(folder: string, result: string): string[] {
  const settings = {
    result_output_path: result,
    performance_output_path: join(folder, 'summary.json'),
    dead_letter_path: join(folder, 'dead-letters.ndjson'),
    as_of: '2025-03-14T21:25:33Z',
  };
  const pairs = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return [CLI, '--workflow', 'OfferWorkFlow', '--json', ...pairs];
}

/** True if there is a whole line after the header. */
function hasRow(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').split('\n', 3).length > 2;
  } catch {
    return false;
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
