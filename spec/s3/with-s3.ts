/** Specs that talk to a real server of S3: one per group, started before its first case and stopped after its last. */
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { whyNoS3 } from './artifacts.js';
import { S3Server } from './server.js';

/** A group of cases that need the server. Without it they are skipped, and the reason is the name of the skipped case. */
export function describeWithS3(name: string, cases: (server: () => S3Server) => void): void {
  const reason = whyNoS3();
  describe(name, () => {
    if (reason !== undefined) {
      if (process.env['MILLRACE_S3'] === 'required') {
        it('needs a server of S3', () => {
          throw new Error(`MILLRACE_S3 is required, and the server cannot be started: ${reason}`);
        });
      } else it.skip(`is skipped: ${reason}`, () => undefined);
      return;
    }
    let server: S3Server;
    beforeAll(async () => {
      server = await S3Server.start();
    });
    afterAll(() => server.stop());
    cases(() => server);
  });
}
