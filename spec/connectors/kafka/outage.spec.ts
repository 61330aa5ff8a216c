/** A cluster that cannot be reached is reported early, while requests are repeated. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { kafka } from 'millrace/kafka';
import { virtualClock } from 'millrace/testing';
import { OutageWatch } from '#lib/connectors/kafka/outage.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';

describe('the watch over outages', () => {
  const START = Date.UTC(2030, 0, 1);
  const until = new Date(START + 30_000).toTimeString().slice(0, 8);
  const watched = () => {
    const [clock, notices] = [virtualClock(START), [] as string[]];
    const onNotice = (message: string): void => {
      notices.push(message);
    };
    return { clock, notices, watch: new OutageWatch({ brokers: ['a:1', 'b:2'], timeoutMs: 30_000, onNotice, clock }) };
  };

  it('reports an outage once after two seconds, with the last reason and the end of the attempts', async () => {
    const { clock, notices, watch } = watched();
    watch.begin();
    watch.fail('ECONNREFUSED');
    await clock.advance(1999);
    watch.begin();
    watch.fail('ENOTFOUND');
    expect(notices).toEqual([]);
    await clock.advance(1);
    watch.begin();
    await clock.advance(30_000);
    expect(notices).toEqual([`Cannot reach brokers a:1, b:2: ENOTFOUND; trying again until ${until}`]);
  });

  it('reports nothing if a broker answers in time, and the next outage again', async () => {
    const { clock, notices, watch } = watched();
    watch.begin();
    watch.fail('ECONNREFUSED');
    watch.end();
    await clock.advance(10_000);
    expect(notices).toEqual([]);
    for (let outage = 0; outage < 2; outage++) {
      watch.begin();
      await clock.advance(2000);
      watch.end();
    }
    expect(notices).toEqual([expect.stringContaining('no answer yet'), expect.stringContaining('no answer yet')]);
  });
});

describe('a client', () => {
  const noticesOf = async (address: string): Promise<readonly string[]> => {
    const notices: string[] = [];
    const client = await openClient(kafka({ brokers: [address], timeoutMs: 2500 }), (message) => {
      notices.push(message);
      // The attempts go on until they are ended.
      void client.close();
    });
    await expect(client.hasTopic('any')).rejects.toMatchObject({
      code: expect.stringMatching(/ABORTED|NETWORK/) as unknown,
    });
    return notices;
  };

  it('reports that connections are refused', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.close();
    await once(server, 'close');
    expect(await noticesOf(address)).toEqual([
      expect.stringContaining(`Cannot reach broker ${address}: ECONNREFUSED; trying again until `),
    ]);
  });

  it('reports that an open connection is not answered', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await noticesOf(address)).toEqual([
      expect.stringContaining(`Cannot reach broker ${address}: no answer yet; trying again until `),
    ]);
    server.close();
  });
});
