/** A Kafka broker for the cases that need one. */
import { withServer } from './server-process.js';

/** The environment variable with the address of the broker, for the processes of the sides. */
export const KAFKA_ADDRESS = 'MILLRACE_BENCH_KAFKA';

const BROKER = {
  name: 'Kafka',
  main: new URL('../spec/kafka/main.js', import.meta.url).pathname,
  args: ['up'],
  answers: 'Kafka answers',
};

/** Runs the measurement while a broker runs. */
export function withBroker<T>(measure: () => Promise<T>): Promise<T> {
  return withServer(BROKER, (port) => {
    process.env[KAFKA_ADDRESS] = `127.0.0.1:${port}`;
    return measure();
  });
}
