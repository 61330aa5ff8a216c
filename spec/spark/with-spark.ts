/** Specs that talk to a real Spark: one server per group, started before its first case and stopped after its last. */
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { whyNoSpark } from './artifacts.js';
import { SparkServer, type SparkOptions } from './server.js';

/** A group of cases that need Spark. Without it they are skipped, and the reason is the name of the skipped case. */
export function describeWithSpark(
  name: string,
  cases: (server: () => SparkServer) => void,
  options: SparkOptions = {},
): void {
  const reason = whyNoSpark();
  if (reason !== undefined) {
    describe(name, () => {
      if (process.env['MILLRACE_SPARK'] === 'required') {
        it('needs Spark', () => {
          throw new Error(`MILLRACE_SPARK is required, and Spark cannot be started: ${reason}`);
        });
      } else it.skip(`is skipped: ${reason}`, () => undefined);
    });
    return;
  }
  describe(name, () => {
    let server: SparkServer;
    beforeAll(async () => {
      server = await SparkServer.start(options);
    }, 330_000);
    afterAll(async () => {
      await server.stop();
    });
    cases(() => server);
  });
}
