import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defineWorkflow, sourceTask, type Trigger } from '#lib/index.js';
import { Arrivals, matchesName } from '#lib/server/triggers/arrivals.js';
import { atPointer, firesAfter, knownTriggers } from '#lib/server/triggers/known-triggers.js';
import { FileWatch } from '#lib/server/triggers/file-watch.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';
import { Supervisor, type SupervisorPorts } from '#lib/server/supervisor.js';
import { signedId } from '#lib/server/triggers/signature.js';

const SECRET = 'a secret of the webhook';
const NOW = 1_760_000_000_000;

function sign(id: string, timestamp: string, body: string, secret: string | Buffer = SECRET): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

describe('the signature of a webhook', () => {
  const at = String(NOW / 1000);
  const check = (headers: object, body = '{}', secret = SECRET): string | undefined =>
    signedId(headers as Record<string, unknown>, Buffer.from(body), secret, NOW);
  const right = { 'webhook-id': 'm1', 'webhook-timestamp': at, 'webhook-signature': sign('m1', at, '{}') };

  it('is accepted for the id, the time and the body that it was made for, and for nothing else', () => {
    expect(check(right)).toBe('m1');
    expect(check({ ...right, 'webhook-signature': `v1,wrong ${sign('m1', at, '{}')} v2,x` })).toBe('m1');
    expect(check(right, '{ }')).toBeUndefined();
    expect(check({ ...right, 'webhook-id': 'm2' })).toBeUndefined();
    expect(check(right, '{}', 'another secret, as long')).toBeUndefined();
    for (const name of Object.keys(right)) expect(check({ ...right, [name]: undefined })).toBeUndefined();
    for (const wrong of ['', 'v1,', 'v1,AAAA', `v2${sign('m1', at, '{}').slice(2)}`, ['v1']]) {
      expect(check({ ...right, 'webhook-signature': wrong })).toBeUndefined();
    }
  });

  it('is accepted for five minutes, before and after', () => {
    for (const [seconds, isAccepted] of [
      [-301, false],
      [-299, true],
      [299, true],
      [301, false],
    ] as const) {
      const time = String(NOW / 1000 + seconds);
      const headers = { ...right, 'webhook-timestamp': time, 'webhook-signature': sign('m1', time, '{}') };
      expect(check(headers)).toBe(isAccepted ? 'm1' : undefined);
    }
    expect(
      check({ ...right, 'webhook-timestamp': 'NaN', 'webhook-signature': sign('m1', 'NaN', '{}') }),
    ).toBeUndefined();
  });

  it('takes a key in the form of Standard Webhooks', () => {
    const key = Buffer.from('0123456789abcdef');
    const headers = { ...right, 'webhook-signature': sign('m1', at, '{}', key) };
    expect(check(headers, '{}', `whsec_${key.toString('base64')}`)).toBe('m1');
  });

  it('agrees with the published example of the scheme', () => {
    const example = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const body = Buffer.from('{"test": 2432232314}');
    expect(signedId(example, body, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 1_614_265_330_000)).toBe(
      example['webhook-id'],
    );
  });
});

describe('the triggers of workflows', () => {
  const flows = (triggers: Record<string, Record<string, Trigger>>): ReturnType<typeof knownTriggers> =>
    knownTriggers(
      Object.entries(triggers).map(([name, own]) => ({ name, triggers: own })),
      { SET: SECRET, SHORT: 'x', EMPTY: `whsec_${'='.repeat(30)}` },
    );

  it('say what is wrong with each', () => {
    const known = flows({
      A: { a: { after: 'C' }, self: { after: 'A' }, gone: { after: 'Gone' } },
      B: { b: { after: 'A' } },
      C: { c: { after: 'B' } },
      D: {
        d: { after: 'A', when: 'failed' },
        unset: { webhook: 'UNSET' },
        short: { webhook: 'SHORT' },
        empty: { webhook: 'EMPTY' },
        set: { webhook: 'SET' },
      },
    });
    expect(Object.fromEntries(known.map(({ id, problem }) => [id, problem]))).toEqual({
      'A/a': "'A' and 'C' start each other in a circle",
      'A/self': "'A' and 'A' start each other in a circle",
      'A/gone': "There is no workflow 'Gone'",
      'B/b': "'B' and 'A' start each other in a circle",
      'C/c': "'C' and 'B' start each other in a circle",
      'D/d': '',
      'D/unset': 'The environment variable UNSET of the server, with the secret, is not set',
      'D/short': 'The secret in SHORT has fewer than 16 bytes',
      'D/empty': 'The secret in EMPTY has fewer than 16 bytes',
      'D/set': '',
    });
  });

  it('fire at the ends that they name, and never where a user has stopped a run', () => {
    const fires = (when: 'completed' | 'failed' | 'ended'): string[] =>
      ['completed', 'failed', 'interrupted', 'drained', 'cancelled', 'queued'].filter((state) =>
        firesAfter(state, when),
      );
    expect(fires('completed')).toEqual(['completed']);
    expect(fires('failed')).toEqual(['failed', 'interrupted']);
    expect(fires('ended')).toEqual(['completed', 'failed', 'interrupted']);
  });

  it('find values by JSON Pointers, and only members of the message itself', () => {
    const body = { 'a/b': [{ '~': 1 }], nothing: null };
    expect([atPointer(body, ''), atPointer(body, '/a~1b/0/~0'), atPointer(body, '/nothing')]).toEqual([body, 1, null]);
    for (const pointer of ['/x', '/constructor', '/__proto__', '/a~1b/1', '/a~1b/length/x', '/nothing/x']) {
      expect(atPointer(body, pointer)).toBeUndefined();
    }
  });

  it.each<[object, string]>([
    [{ webhook: 'A B' }, 'the name of an environment variable'],
    [{ files: 'in/*/x.csv' }, 'a path whose last part only has * or ?'],
    [{ files: 'in/' }, 'a path whose last part only has * or ?'],
    [{ after: 'A', when: 'started' }, "'completed'"],
    [{ after: 'A', files: 'x' }, 'got files and after'],
    [{}, 'got none'],
    [{ files: 'x', when: 'ended' }, '`when` has no effect'],
    [{ webhook: 'A', fromBody: { other: '/x' } }, "one of `params`, because senders choose its value, got 'other'"],
    [{ webhook: 'A', fromBody: { text: 'x' } }, 'JSON Pointers'],
  ])('are refused as %j', (trigger, reason) => {
    const define = (): unknown =>
      defineWorkflow({
        ...{ name: 'Flow', params: ['text'], triggers: { t: trigger as unknown as Trigger } },
        build: (flow) => flow.task('Numbers', sourceTask([1])),
      });
    expect(define).toThrow(reason);
  });
});

describe('the arrivals of files', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-arrivals-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('are files that did not change between two looks, each once until it changes', async () => {
    const arrivals = new Arrivals(folder, 'in/*.csv');
    const look = async (): Promise<string[]> => {
      const { arrivals: found } = await arrivals.look();
      for (const one of found) arrivals.acknowledge(one);
      return found.map(({ path }) => path.slice(folder.length + 4));
    };
    expect((await arrivals.look()).problem).toContain('does not exist');
    mkdirSync(join(folder, 'in'));
    const write = (name: string, text: string, time: number): void => {
      writeFileSync(join(folder, 'in', name), text);
      utimesSync(join(folder, 'in', name), time, time);
    };
    write('a.csv', 'half', 1);
    write('b.txt', 'other', 1);
    write('.c.csv', 'hidden', 1);
    write('empty.csv', '', 1);
    write('line\nbreak.csv', 'x', 1);
    mkdirSync(join(folder, 'in', 'd.csv'));
    symlinkSync('/etc/passwd', join(folder, 'in', 'link.csv'));
    execFileSync('mkfifo', [join(folder, 'in', 'pipe.csv')]);
    expect(await look()).toEqual([]);
    write('a.csv', 'half and more', 2);
    expect(await look()).toEqual(['line\nbreak.csv']);
    expect(await look()).toEqual(['a.csv']);
    expect(await look()).toEqual([]);
    write('a.csv', 'half and more', 3);
    expect(await look()).toEqual([]);
    expect(await look()).toEqual(['a.csv']);
    rmSync(join(folder, 'in', 'a.csv'));
    expect(await look()).toEqual([]);
  });

  it('are found again until their runs are stored', async () => {
    writeFileSync(join(folder, 'a'), 'x');
    const arrivals = new Arrivals(folder, '?');
    await arrivals.look();
    for (let time = 0; time < 2; time++) expect((await arrivals.look()).arrivals).toHaveLength(1);
  });

  it('start one run each, whichever server sees them, and none while the queue is full', async () => {
    const store = sqliteStore(':memory:', 'wasm');
    writeFileSync(join(folder, 'a.csv'), 'x');
    let hasRoom = false;
    const server = (): FileWatch => {
      const supervisor = new Supervisor({ store, now: () => NOW } as SupervisorPorts & { store: typeof store });
      return new FileWatch({
        folder,
        triggers: () => knownTriggers([{ name: 'Flow', triggers: { csv: { files: '*.csv' } } }], {}),
        deliver: (trigger, event) => supervisor.deliver(trigger, event),
        hasRoom: () => Promise.resolve(hasRoom),
      });
    };
    for (const room of [false, true, true]) {
      const one = server();
      hasRoom = room;
      for (let look = 0; look < 3; look++) await one.look();
      expect(await store.runs({ limit: 9 })).toHaveLength(room ? 1 : 0);
    }
    expect((await store.runs({ limit: 9 }))[0]).toMatchObject({ origin: 'file', subject: join(folder, 'a.csv') });
    await store.close();
  });

  it('match names as an expression would, in bounded time', () => {
    const piece = fc.constantFrom('*', '?', 'a', 'b', '.');
    const text = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 8 }).map((parts) => parts.join(''));
    const pattern = fc.array(piece, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, pattern, (name, given) => {
        const source = given.replace(/\./g, '\\.').replace(/\*/g, '.*').replace(/\?/g, '.');
        const expected = name.startsWith('.') === given.startsWith('.') && new RegExp(`^${source}$`).test(name);
        expect(matchesName(name, given)).toBe(expected);
      }),
    );
    expect(matchesName('a'.repeat(255), `${'*a'.repeat(60)}b`)).toBe(false);
  });
});
