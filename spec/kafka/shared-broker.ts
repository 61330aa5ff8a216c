/**
 * The broker that the specs of one run of jest share: starting one takes longer than most of them.
 *
 * Guarantees: the first spec that asks starts it, and it ends with jest.
 */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from './broker.js';

const MAIN = new URL('./shared-main.js', import.meta.url).pathname;
const START_MS = 120_000;

export async function sharedBroker(): Promise<Broker> {
  // With one worker the specs run in the process of jest itself.
  const jest = typeof process.send === 'function' ? process.ppid : process.pid;
  const file = join(tmpdir(), `millrace-kafka-of-${jest}`);
  if (await isFirst(`${file}.lock`)) {
    spawn(process.execPath, [MAIN, String(jest), file], { stdio: 'ignore', detached: true }).unref();
  }
  const address = await written(file);
  return {
    address,
    addresses: {},
    bounce: () => Promise.reject(new Error('Other specs use this broker too. Ask for one of your own')),
    stop: () => Promise.resolve(),
  };
}

async function isFirst(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx')).close();
    return true;
  } catch {
    return false;
  }
}

async function written(file: string): Promise<string> {
  for (const latest = Date.now() + START_MS; ;) {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if (Date.now() > latest) throw new Error('The broker of the specs did not start', { cause: error });
      await sleep(100);
    }
  }
}
