import { describe, expect, it } from '@jest/globals';
import { startMockServerInThread } from '#mock-server/in-thread.js';

describe('a mock server in a thread', () => {
  it('answers like any other, and is gone after stop', async () => {
    const server = await startMockServerInThread();
    const pong = await fetch(server.url);
    expect(await pong.json()).toEqual({ msg: 'pong' });
    expect(server.wsUrl).toMatch(/^ws:/);
    await server.stop();
    await expect(fetch(server.url)).rejects.toThrow();
  });

  it('rejects where the server cannot start', async () => {
    const first = await startMockServerInThread();
    const { port } = new URL(first.url);
    await expect(startMockServerInThread({ port: Number(port) })).rejects.toThrow(/EADDRINUSE/);
    await first.stop();
  });
});
