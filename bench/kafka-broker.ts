/** A Kafka broker for the cases that need one. Both sides of a case use the same broker. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const MAIN = new URL('../spec/kafka/main.js', import.meta.url).pathname;

/** The environment variable with the address of the broker, for the processes of the sides. */
export const KAFKA_ADDRESS = 'MILLRACE_BENCH_KAFKA';

/** Runs the measurement while a broker runs. It ends with this process in any case. */
export async function withBroker<T>(measure: () => Promise<T>): Promise<T> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  const broker = spawn(process.execPath, [MAIN, 'up', '--port', String(port)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  broker.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const isUp = new Promise<void>((resolve, reject) => {
    broker.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('Kafka answers')) resolve();
    });
    broker.once('exit', () => {
      reject(new Error(`The broker did not start: ${output}`));
    });
  });
  const over = once(broker, 'exit');
  try {
    await isUp;
    process.env[KAFKA_ADDRESS] = `127.0.0.1:${port}`;
    return await measure();
  } finally {
    broker.kill('SIGTERM');
    await over;
  }
}
