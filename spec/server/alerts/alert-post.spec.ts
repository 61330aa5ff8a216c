/** Alerts are sent to real addresses and by real commands; time is virtual where attempts are repeated. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Alert } from '#lib/server/alerts/alert.js';
import { AlertPost } from '#lib/server/alerts/alert-post.js';
import { alertTarget, type AlertTarget } from '#lib/server/alerts/alert-target.js';
import type { ServerStore } from '#lib/server/store/server-store.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';

const ALERT: Alert = {
  ...{ id: 'failed r 7', kind: 'failed', at: 0, workflow: 'Flow', schedule: null, runId: 'r' },
  text: "Run r of Flow is failed: it's $HOME `x`",
};
const never = new AbortController().signal;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'alerts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const targetOf = (text: string): AlertTarget =>
  alertTarget(text, { folder, environment: { PATH: process.env['PATH'], OTHER: 'own' } });

async function withAddress(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      answer(request, response, body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('a target of alerts', () => {
  it('may be an address, which gets the alert as JSON, under its id', async () => {
    let seen: unknown;
    await withAddress(
      ({ method, headers }, response, body) => {
        seen = [method, headers['content-type'], headers['idempotency-key'], JSON.parse(body)];
        response.end();
      },
      (url) => targetOf(url)(ALERT, never),
    );
    expect(seen).toEqual(['POST', 'application/json', ALERT.id, ALERT]);
  });

  it('has failed if the address answers anything but success, and no redirect is followed', async () => {
    let count = 0;
    await withAddress(
      ({ url }, response) => {
        count++;
        response.writeHead(url === '/hook' ? 307 : 200, { location: '/elsewhere' }).end();
      },
      (url) => expect(targetOf(url)(ALERT, never)).rejects.toThrow('the address answered with status 307'),
    );
    expect(count).toBe(1);
    await expect(targetOf('http://127.0.0.1:1/secret-path')(ALERT, never)).rejects.toThrow(
      /^the address did not answer: (?!.*secret-path)/,
    );
  });

  it('may be a command, which reads the alert as JSON, and sees no part of it on its command line', async () => {
    await targetOf('cat > alert.json; echo $OTHER$MILLRACE_TOKEN > environment')(ALERT, never);
    expect(JSON.parse(await readFile(join(folder, 'alert.json'), 'utf8'))).toEqual(ALERT);
    expect(await readFile(join(folder, 'environment'), 'utf8')).toBe('own\n');
  });

  it('has failed if the command does', async () => {
    await expect(targetOf('exit 3')(ALERT, never)).rejects.toThrow('the command ended with code 3');
    await expect(targetOf('kill -9 $$')(ALERT, never)).rejects.toThrow('the command ended with SIGKILL');
  });

  it('gives up a command, and what it has started, when the server stops', async () => {
    const controller = new AbortController();
    const sending = targetOf('sleep 600 & echo $! > pid; wait')(ALERT, controller.signal);
    let pid = '';
    while (pid === '') pid = await readFile(join(folder, 'pid'), 'utf8').catch(() => '');
    controller.abort();
    await expect(sending).rejects.toThrow('the server stopped');
    while (isAlive(Number(pid))) await new Promise((resolve) => setImmediate(resolve));
  });

  it('is refused with a user name in the address', () => {
    expect(() => targetOf('https://ada:secret@example.org/')).toThrow(/^The address of --alert is not valid, or has/);
  });
});

/** A process that was killed and is not yet waited for has no command line. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return process.platform !== 'linux' || zombie(pid) !== 'Z';
}

function zombie(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return 'Z';
  }
}

describe('the post of alerts', () => {
  let store: ServerStore;
  beforeEach(() => {
    store = sqliteStore(':memory:');
  });
  afterEach(() => store.close());
  const stored = { attempts: 0, nextAt: 0, sentAt: null, problem: '' };

  it('sends an alert once, and again only after it was not taken, with longer and longer waits', async () => {
    let now = 0;
    const tries: number[] = [];
    const target: AlertTarget = () => {
      tries.push(now);
      return tries.length < 4 ? Promise.reject(new Error('no')) : Promise.resolve();
    };
    const post = new AlertPost({ store, target, now: () => now });
    await store.addAlerts([{ ...ALERT, ...stored }]);
    for (; now < 3_600_000; now += 5000) await post.send();
    expect(tries).toEqual([0, 15_000, 45_000, 105_000]);
    expect(await store.alerts(9)).toEqual([{ ...ALERT, attempts: 4, nextAt: null, sentAt: 105_000, problem: '' }]);
  });

  it('gives an alert up after a day, with the reason', async () => {
    let now = 0;
    let tries = 0;
    const target: AlertTarget = () => Promise.reject(new Error(`no ${++tries}`));
    const post = new AlertPost({ store, target, now: () => now });
    await store.addAlerts([{ ...ALERT, ...stored }]);
    for (; now < 3 * 86_400_000; now += 600_000) await post.send();
    expect(tries).toBeLessThan(40);
    expect(await store.alerts(9)).toMatchObject([{ nextAt: null, sentAt: null, problem: `no ${tries}` }]);
  });

  it('leaves the alert that it was about to send to the next server when it is closed', async () => {
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const target: AlertTarget = (_, signal) =>
      new Promise((__, reject) => {
        begin();
        signal.addEventListener('abort', () => {
          reject(new Error('stopped'));
        });
      });
    await store.addAlerts([{ ...ALERT, ...stored }]);
    const post = new AlertPost({ store, target, now: () => 5 });
    const sending = post.send();
    await begun;
    await post.close();
    await sending;
    expect(await store.dueAlerts(5, 9)).toEqual([{ ...ALERT, ...stored }]);
    const sent: string[] = [];
    const next: AlertTarget = ({ id }) => {
      sent.push(id);
      return Promise.resolve();
    };
    await new AlertPost({ store, target: next, now: () => 5 }).send();
    expect(sent).toEqual([ALERT.id]);
  });
});
