/** A server for the cases that need one, in a process of its own. Both sides of a case use the same server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { CaseSkipped } from './case.js';

/** How a server is started, and how its start is recognised. */
export interface ServerProcess {
  /** Its name in messages. */
  readonly name: string;
  /** The script, which runs the server until a signal ends it. */
  readonly main: string;
  /** The arguments besides the port. */
  readonly args: readonly string[];
  /** A text that it prints once it answers. */
  readonly answers: string;
}

/** The exit code of a script whose server is not installed; the reason is on its stderr. */
const NOT_INSTALLED = 3;

/**
 * Runs the measurement while the server runs, which ends with this process in any case. Throws CaseSkipped if the
 * server is not installed.
 */
export async function withServer<T>(server: ServerProcess, measure: (port: number) => Promise<T>): Promise<T> {
  const port = await freePort();
  const child = spawn(process.execPath, [server.main, ...server.args, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  const isUp = new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes(server.answers)) resolve();
    });
    child.once('close', (code) => {
      reject(
        code === NOT_INSTALLED
          ? new CaseSkipped(told.trim())
          : new Error(`The server of ${server.name} did not start: ${told}`),
      );
    });
  });
  const over = once(child, 'exit');
  try {
    await isUp;
    return await measure(port);
  } finally {
    child.kill('SIGTERM');
    await over;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
