/** The examples, each run as a user would: a process of its own, which ends by itself. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { atsOf, respOf, type Features } from '#mock-server/index.js';
import { WebSocketServer } from 'ws';

const LIMIT_MS = 55_000;
const programOf = (name: string): string => new URL(`../../examples/${name}.js`, import.meta.url).pathname;

describe('the examples', () => {
  let folder: string;

  const run = async (name: string, ...args: string[]): Promise<string[]> => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [programOf(name), ...args], {
      cwd: folder,
      timeout: LIMIT_MS,
    });
    expect(stderr).toBe('');
    return stdout.trimEnd().split('\n');
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-examples-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('offers: writes a row a member, made of the answers of both models', async () => {
    const members = Array.from({ length: 20 }, (_, n) => ({ id: `m${n}`, features: featuresOf(n) }));
    const header = ['memberId', ...Object.keys(featuresOf(0))].join(',');
    const rows = members.map(({ id, features }) => [id, ...Object.values<number>({ ...features })].join(','));
    await writeFile(join(folder, 'members.csv'), [header, ...rows, ',1,1,1,1,1,0,0,1', ''].join('\n'));

    expect(await run('offers', 'members.csv', 'offers.csv')).toEqual(['completed: 20 offers, 1 dead letters']);
    const written = await readFile(join(folder, 'offers.csv'), 'utf8');
    const expected = members.map(({ id, features }) => `${id},${(atsOf(features) * respOf(features)).toFixed(2)}`);
    expect(written.trimEnd().split(/\r?\n/)).toEqual(['memberId,expected', ...expected]);
  });

  it('nexmark: answers all queries', async () => {
    const lines = await run('nexmark', '1000');
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'q0',
      'q1',
      'q2',
      'q3',
      'q4',
      'q5',
      'q6',
      'q7',
      'q8',
      'q11',
      'q12',
    ]);
    expect(lines[0]).toBe('q0: 1000 results');
  });

  it('price-feed: compares the average of three prices with the newest limit until the feed ends', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    // The squares of whole numbers: the mean of any three neighbours ends in .67, and no single one does.
    let n = 0;
    const timers = new Set<NodeJS.Timeout>();
    server.on('connection', (socket, { url }) => {
      if (url === '/limit') socket.send('50');
      else {
        const tick = setInterval(() => {
          socket.send(String((n++) ** 2));
        }, 5);
        timers.add(tick);
      }
    });
    const { port } = server.address() as AddressInfo;
    const child = spawn(process.execPath, [programOf('price-feed'), `ws://127.0.0.1:${port}`], { timeout: LIMIT_MS });
    const ended = once(child, 'close');
    try {
      const lines: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        // Once there is something to look at, the feed ends, and with it the program.
        if (lines.push(line) === 3) for (const client of server.clients) client.close();
      }
      expect(await ended).toEqual([0, null]);
      expect(lines.length).toBeGreaterThanOrEqual(3);
      for (const line of lines) {
        const [, average] = /^(\d+\.67) is above 50$/.exec(line) ?? [];
        expect(Number(average)).toBeGreaterThan(50);
      }
    } finally {
      child.kill();
      for (const timer of timers) clearInterval(timer);
      server.close();
    }
  });

  it('folder-sizes: adds up the lines of the files of each folder', async () => {
    await mkdir(join(folder, 'few', 'not-a-file'), { recursive: true });
    await mkdir(join(folder, 'many'));
    await writeFile(join(folder, 'few', 'a.txt'), 'one\ntwo\n');
    for (let n = 0; n < 50; n++) await writeFile(join(folder, 'many', `${n}.txt`), 'line\n'.repeat(n));
    expect(await run('folder-sizes', 'few', 'many')).toEqual(['1 files, 2 lines', '50 files, 1225 lines']);
  });

  it('upsert: writes each account once, refuses one, and disconnects', async () => {
    expect(await run('upsert')).toEqual([
      'ada inserted',
      'grace inserted',
      'ada updated',
      '2 rows, ada has 30',
      '1 dead letter, connected: false',
    ]);
  });

  it('routes: each order takes one way, and all of them end in one list', async () => {
    expect((await run('routes')).sort()).toEqual([
      '0 dead letters',
      '20 passed, with a card',
      '31 passed, with a pen',
      '500 checked',
      '7000 refused: above the limit',
    ]);
  });

  it('thread-bridge: finds the first primes above a million millions, and its threads end', async () => {
    expect(await run('thread-bridge')).toEqual([
      '1000000000039 is prime',
      '1000000000061 is prime',
      '1000000000063 is prime',
    ]);
  });

  it('own-progress: draws a bar that grows and is full at the end', async () => {
    const lines = await run('own-progress');
    const done = lines.map((line) => Number(/ (\d+)\/500 /.exec(line)?.[1]));
    expect(lines.length).toBeGreaterThan(1);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(lines.at(-1)).toBe(`${'█'.repeat(30)} 500/500 completed`);
  });
});

function featuresOf(n: number): Features {
  return {
    AVG_POINTS_BOUGHT: 100 * n,
    AVG_REVENUE_USD: 2 * n,
    LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: 120 * n,
    LAST_3_TRANSACTIONS_AVG_REVENUE_USD: 3 * n,
    PCT_BUY_TRANSACTIONS: 0.5,
    PCT_GIFT_TRANSACTIONS: 0.25,
    PCT_REDEEM_TRANSACTIONS: 0.25,
    DAYS_SINCE_LAST_TRANSACTION: n,
  };
}
