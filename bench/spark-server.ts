/** A Spark Connect server, which computes on two cores, for the cases that need one. */
import { withServer } from './server-process.js';

const REMOTE = 'MILLRACE_BENCH_SPARK';

const SERVER = {
  name: 'Spark',
  main: new URL('../spec/spark/main.js', import.meta.url).pathname,
  args: ['up', '--offline'],
  answers: 'Spark Connect answers',
};

/** The address of the server, in the processes of the sides. */
export const sparkRemote = (): string => process.env[REMOTE] ?? '';

/** Runs the measurement while a server runs. */
export function withSpark<T>(measure: () => Promise<T>): Promise<T> {
  return withServer(SERVER, (port) => {
    process.env[REMOTE] = `sc://127.0.0.1:${port}`;
    return measure();
  });
}
