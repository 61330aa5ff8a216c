/** Starting, stopping, restarting and scenarios: what a server leaves behind, and when it is back. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import * as entry from '#mock-server/index.js';
import { startMockServer } from '#mock-server/server.js';
import type { MockServer } from '#mock-server/server.js';
import { FEATURES, RpcClient, answer, ask, call, codeOf, predict, withServer } from './support/clients.js';

/** Asks until the answer's status is the one waited for. */
async function until(server: MockServer, status: number): Promise<void> {
  while ((await predict(server)).status !== status);
}

/** Asks until the port answers again. */
async function untilBack(server: MockServer): Promise<void> {
  for (;;) {
    try {
      await ask(server, '/control/stats');
      return;
    } catch {
      // Refused or cut: not yet.
    }
  }
}

/** A process in which a server is stopped in the middle of everything; anything left alive keeps it from ending. */
const BUSY = `
  const { startMockServer } = await import(process.argv[1]);
  const { WebSocket } = await import(process.argv[2]);
  const hour = 3_600_000;
  const server = await startMockServer({
    latency: process.argv[3] === 'slow' ? hour : 0,
    scenario: [{ atMs: hour, faults: {} }],
    faults: process.argv[3] === 'slow' ? {} : [
      { route: 'ats.predict', halfOpen: {} },
      { route: 'offer.assign', slowDrip: { everyMs: hour } },
      { route: '/', slowDrip: { everyMs: hour } },
      { route: 'resp.predict', reorderReply: { holdMs: hour } },
    ],
  });
  const features = JSON.parse(process.argv[4]);
  const params = { ...features, ats_prediction: 1, resp_prediction: 1 };
  for (const method of ['ats.predict', 'resp.predict', 'offer.assign']) {
    const socket = new WebSocket(server.wsUrl);
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
  }
  fetch(server.url).then((reply) => reply.text()).catch(() => undefined);
  const isBusy = () => server.stats.inFlight + Object.keys(server.stats.faults).length >= 3 && server.stats.requests === 4;
  while (!isBusy()) await new Promise(setImmediate);
  await server.stop();
  process.stdout.write('stopped');
`;

describe('a mock server', () => {
  it('is on one port for HTTP and WebSocket, and says where', () =>
    withServer({}, async (server) => {
      expect(server.url).toBe(`http://127.0.0.1:${String(server.port)}`);
      expect(server.wsUrl).toBe(`ws://127.0.0.1:${String(server.port)}`);
      const client = await RpcClient.open(server);
      await ask(server, '/');
      expect(server.stats.connections).toMatchObject({ opened: 2, webSocketsOpen: 1, webSocketsOpened: 1 });
      expect(await client.ask(call(1))).toEqual(answer(1));
    }));

  it('rejects when the port is taken', () =>
    withServer({}, async (server) => {
      expect(await codeOf(startMockServer({ port: server.port }))).toBe('EADDRINUSE');
    }));

  it.each(['slow', 'faulty'])('leaves nothing alive when it stops in the middle of everything (%s)', async (how) => {
    const urls = [import.meta.resolve('#mock-server/server.js'), import.meta.resolve('ws')];
    const args = ['--input-type=module', '-e', BUSY, ...urls, how, JSON.stringify(FEATURES)];
    const child = spawn(process.execPath, args, { timeout: 30_000 });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, out]).toEqual([0, 'stopped']);
  });

  it('cuts what waits when it stops, and gives back every place', async () => {
    const server = await startMockServer({ latency: 3_600_000 });
    const waiting = codeOf(predict(server));
    const client = await RpcClient.open(server);
    client.send([call(1), call(2)]);
    while (server.stats.inFlight < 3) await ask(server, '/control/stats');
    await Promise.all([server.stop(), server.stop()]);
    expect(await waiting).toBe('ECONNRESET');
    expect(await client.closed).toBe(1006);
    expect([server.stats.inFlight, server.stats.connections.open]).toEqual([0, 0]);
    expect(await codeOf(ask(server, '/'))).toBe('ECONNREFUSED');
  });

  it('restarts: cuts every socket, refuses for a while, and is back on the same port', () =>
    withServer({}, async (server) => {
      const client = await RpcClient.open(server);
      const { port } = server;
      const back = server.restart({ downMs: 1000 });
      expect(await client.closed).toBe(1006);
      expect(await codeOf(ask(server, '/'))).toBe('ECONNREFUSED');
      await back;
      expect([server.port, (await predict(server)).status, server.stats.restarts]).toEqual([port, 200, 1]);
      const again = await RpcClient.open(server);
      expect(await again.ask(call(1))).toEqual(answer(1));
    }));

  it('makes two restarts at once one', () =>
    withServer({}, async (server) => {
      await Promise.all([server.restart(), server.restart({ downMs: 10 })]);
      expect(server.stats.restarts).toBe(1);
    }));

  it('can be stopped while it is down, and stays so', async () => {
    const server = await startMockServer();
    const back = server.restart({ downMs: 3_600_000 });
    expect(await codeOf(ask(server, '/'))).toBe('ECONNREFUSED');
    await server.stop();
    await back;
    expect(await codeOf(ask(server, '/'))).toBe('ECONNREFUSED');
    await server.restart();
    expect(await codeOf(ask(server, '/'))).toBe('ECONNREFUSED');
  });

  it('restarts as a fault, after it has answered whoever asked for it', () =>
    withServer({}, async (server) => {
      const body = { restart: { downMs: 20 } };
      expect((await ask(server, '/control/faults', { method: 'PUT', body })).status).toBe(200);
      await untilBack(server);
      expect(server.stats).toMatchObject({ restarts: 1, faults: { restart: 1 } });
    }));

  it('keeps its faults across a restart', () =>
    withServer({ faults: { errorRates: { '503': 1 } } }, async (server) => {
      await server.restart();
      expect((await predict(server)).status).toBe(503);
    }));
});

describe('a scenario', () => {
  it('changes faults after numbers of requests, in order of the numbers', () =>
    withServer(
      {
        scenario: [
          { afterRequests: 4, faults: {} },
          { afterRequests: 2, faults: { errorRates: { '503': 1 } } },
        ],
      },
      async (server) => {
        const statuses: number[] = [];
        for (let index = 0; index < 6; index++) statuses.push((await predict(server)).status);
        expect(statuses).toEqual([200, 200, 503, 503, 200, 200]);
      },
    ));

  it('changes faults at times', () =>
    withServer(
      {
        scenario: [
          { atMs: 1, faults: { errorRates: { '503': 1 } } },
          { atMs: 1500, faults: {} },
        ],
      },
      async (server) => {
        await until(server, 503);
        await until(server, 200);
      },
    ));

  it('counts the calls of a batch one by one', () =>
    withServer({ scenario: [{ afterRequests: 3, faults: { errorRates: { '503': 1 } } }] }, async (server) => {
      const client = await RpcClient.open(server);
      expect(await client.ask([call(1), call(2), call(3)])).toEqual([answer(1), answer(2), answer(3)]);
      expect(await client.ask(call(4))).toMatchObject({ error: { data: { status: 503 } } });
    }));
});

describe('the entry point', () => {
  it('exports what users need and starts nothing', () => {
    expect(Object.keys(entry).sort()).toEqual(['FaultsError', 'atsOf', 'offerOf', 'respOf', 'startMockServer']);
  });
});
