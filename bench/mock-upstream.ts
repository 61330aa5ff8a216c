/**
 * The mock server in a process of its own, for sides that measure calls.
 *
 * Guarantees: the server starts at the first use, one server per set of faults; it never outlives the process that
 * started it.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Faults } from '#mock-server/index.js';

export interface MockUpstream {
  readonly url: string;
  readonly wsUrl: string;
}

const MAIN = fileURLToPath(new URL('../../dist/mock-server/main.js', import.meta.url));
const running = new Map<string, Promise<MockUpstream>>();

/** Starts the server with these faults, or returns the one that already runs with them. */
export function mockUpstream(faults: Faults = {}): Promise<MockUpstream> {
  const json = JSON.stringify(faults);
  let upstream = running.get(json);
  if (upstream === undefined) {
    upstream = start(json);
    running.set(json, upstream);
  }
  return upstream;
}

function start(faults: string): Promise<MockUpstream> {
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--faults', faults], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // The child must not keep this process alive, and must end with it.
  child.unref();
  process.once('exit', () => child.kill());
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`The mock server ended with code ${code ?? 'none'} before it listened`));
    });
    createInterface(child.stdout).once('line', (line) => {
      (child.stdout as unknown as { unref(): void }).unref();
      const url = /http:\/\/[^\s]+/.exec(line)?.[0];
      if (url === undefined) reject(new Error(`Expected the mock server to say where it listens, got: ${line}`));
      else resolve({ url, wsUrl: url.replace(/^http/, 'ws') });
    });
  });
}
