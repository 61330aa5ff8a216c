/** The real server, as a process, with real runs. */
import { readdirSync, readFileSync, writeFileSync, rmSync, existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StoredDecision } from '#lib/server/schedules/stored-schedule.js';
import { end, newFolder, removeFolder, SCRIPT, serve, until, type Served } from './support/served.js';

const LIMIT_MS = 60_000;

async function trigger(served: Served, body: object = {}): Promise<string> {
  const { status, body: run } = await served.ask('/workflows/Flow/runs', { method: 'POST', body });
  expect([status, run]).toEqual([200, expect.objectContaining({ workflow: 'Flow' })]);
  return run['id'] as string;
}

async function untilState(
  served: Served,
  id: string,
  ...states: readonly string[]
): Promise<Readonly<Record<string, unknown>>> {
  let run: Readonly<Record<string, unknown>> = {};
  await until(async () => {
    run = (await served.ask(`/runs/${id}`)).body;
    return states.includes(run['state'] as string);
  });
  return run;
}

/** Waits until the server has so many runs of this kind. */
async function untilRuns(
  served: Served,
  query: string,
  count = 1,
): Promise<{ readonly runs: readonly Readonly<Record<string, unknown>>[] }> {
  let runs: readonly Readonly<Record<string, unknown>>[] = [];
  await until(async () => {
    runs = (await served.ask(`/runs?${query}`)).body['runs'] as typeof runs;
    return runs.length >= count;
  });
  return { runs };
}

/** The process that works on the run. */
function pidOf(folder: string, id: string): number {
  const path = join(folder, '.millrace', 'runs', id);
  const last =
    readdirSync(path)
      .filter((name) => name.startsWith('incarnation-'))
      .sort()
      .at(-1) ?? '';
  const text = readFileSync(join(path, last), 'utf8');
  return Number(/"pid":\s*(\d+)/.exec(text)?.[1]);
}

describe('a server', () => {
  let folder: string;
  let served: Served;
  beforeAll(async () => {
    folder = newFolder();
    served = await serve(folder);
  }, LIMIT_MS);
  afterAll(async () => {
    writeFileSync(join(folder, 'go'), '');
    await end(served);
    removeFolder(folder);
  });

  it('needs a token for each route but that of a session, and the role that the route names', async () => {
    const made = await served.ask('/tokens', { method: 'POST', body: { name: 'looker', role: 'viewer' } });
    const viewer = made.body['token'] as string;
    const { body } = await served.ask('/openapi.json');
    expect(body['openapi']).toBe('3.1.0');
    const paths = body['paths'] as Record<
      string,
      Record<string, { readonly description: string; readonly summary: string }>
    >;
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { description, summary }]) => ({
        path,
        method: method.toUpperCase(),
        description,
        summary,
      })),
    );
    expect(routes.length).toBeGreaterThan(15);
    for (const { path, method, description, summary } of routes) {
      expect(summary).not.toBe('');
      const place = path.replace('/api/v1', '').replace(/\{\w+\}/g, 'x');
      const sent = method === 'POST' || method === 'PUT' ? { body: {} } : {};
      const isPublic = description === 'Needs no token.';
      expect(isPublic).toBe(path === '/api/v1/session' || path.startsWith('/api/v1/hooks/'));
      if (isPublic) continue;
      for (const token of ['', 'mr_wrong']) {
        expect([path, (await served.ask(place, { method, token, ...sent })).status]).toEqual([path, 401]);
      }
      if (/live/.test(path)) continue;
      const { status } = await served.ask(place, { method, token: viewer, ...sent });
      expect([path, method, status === 403]).toEqual([path, method, /operator|admin/.test(description)]);
    }
    // An unknown place reveals nothing to somebody without a token.
    expect((await served.ask('/secret', { token: '' })).status).toBe(401);
    expect((await served.ask('/secret')).status).toBe(404);
  });

  it('exchanges the code of its address for a token once', async () => {
    const code = new URL(served.signInUrl).hash.replace('#code=', '');
    const exchange = (): ReturnType<Served['ask']> =>
      served.ask('/session', { method: 'POST', token: '', body: { code } });
    const { status, body } = await exchange();
    expect([status, body['role']]).toEqual([200, 'admin']);
    expect((await served.ask('/me', { token: body['token'] as string })).body).toEqual({ name: 'page', role: 'admin' });
    expect((await exchange()).status).toBe(401);
    for (let guess = 0; guess < 10; guess++) await exchange();
    expect((await exchange()).status).toBe(429);
  });

  it.each([
    ['another host', { host: 'evil.example' }, 421],
    ['a name that begins like its own', { host: 'localhost.evil.example' }, 421],
    ['another origin', { origin: 'http://evil.example' }, 403],
    ['the origin null', { origin: 'null' }, 403],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a text', { 'content-type': 'text/plain', 'content-length': '2' }, 415],
    ['JSON with a strange type', { 'content-type': 'application/json;', 'content-length': '2' }, 415],
    ['a packed body', { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': '2' }, 415],
  ])('refuses a request from or with %s', async (_, headers, expected) => {
    const { hostname, port } = new URL(served.url);
    const answer = await new Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]> }>(
      (resolve) => {
        const sent = request(
          { hostname, port, path: '/', method: 'content-length' in headers ? 'POST' : 'GET', headers },
          (response) => {
            response.resume();
            resolve({ status: response.statusCode, headers: response.headers });
          },
        );
        sent.end('content-length' in headers ? '{}' : undefined);
      },
    );
    expect(answer.status).toBe(expected);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('refuses a token in an address, bodies with prototypes, and bodies that do not fit', async () => {
    expect((await served.ask(`/runs?token=${served.token}`)).status).toBe(400);
    const post = (body: unknown): Promise<{ status: number }> =>
      served.ask('/workflows/Flow/runs', { method: 'POST', body });
    expect((await post('{"settings":{"__proto__":{"x":1}}}')).status).toBe(400);
    expect((await post({ settings: {}, other: 1 })).status).toBe(400);
    expect((await post('{')).status).toBe(400);
    expect((await served.ask('/runs?limit=100000')).status).toBe(400);
    expect((await served.ask('/runs?state=running%27%20OR%201=1')).status).toBe(400);
  });

  it.each(['./workflows/flow.js', 'file:///etc/passwd', 'Flow#x', '__proto__', '../x'])(
    'starts no workflow by the name %s',
    async (name) => {
      const path = `/workflows/${encodeURIComponent(name)}/runs`;
      expect((await served.ask(path, { method: 'POST', body: {} })).status).toBe(404);
    },
  );

  it.each(['..', '%2e%2e%2f%2e%2e', 'x%00', '..%5c..', 'a'.repeat(99)])('knows no run by the id %s', async (id) => {
    for (const part of ['', '/output', '/view', '/report', '/dead-letters']) {
      expect([400, 404, 414]).toContain((await served.ask(`/runs/${id}${part}`)).status);
    }
  });

  it(
    'sets only the params of a workflow, and never replaces what users write',
    async () => {
      const wrong = await served.ask('/workflows/Flow/runs', {
        method: 'POST',
        body: { settings: { path: '/etc/x' } },
      });
      expect([wrong.status, wrong.body['message']]).toEqual([400, expect.stringContaining('Its `params` are text')]);
      const text = 'a ${CANARY} $${CANARY} --runs /x';
      writeFileSync(join(folder, 'go'), '');
      const id = await trigger(served, { settings: { text } });
      const run = await untilState(served, id, 'completed', 'failed');
      expect(run).toMatchObject({ state: 'completed', deadLetters: 1, problem: '', settings: { text } });
      expect(readFileSync(join(folder, 'text'), 'utf8')).toBe(text);
      expect((await served.ask(`/runs/${id}/dead-letters`)).body).toMatchObject({ groups: [{ count: 1 }] });
      expect((await served.ask(`/runs/${id}/view`)).body).toMatchObject({ outcome: 'completed', isConserved: true });
      rmSync(join(folder, 'go'));
    },
    LIMIT_MS,
  );

  it(
    'gives the same run for the same request key',
    async () => {
      writeFileSync(join(folder, 'go'), '');
      const id = await trigger(served, { requestKey: 'once' });
      expect(await trigger(served, { requestKey: 'once' })).toBe(id);
      const other = { requestKey: 'once', settings: { text: 'another one' } };
      expect((await served.ask('/workflows/Flow/runs', { method: 'POST', body: other })).status).toBe(409);
      await untilState(served, id, 'completed');
      rmSync(join(folder, 'go'));
    },
    LIMIT_MS,
  );

  it(
    'stops a run that is asked to, and resumes it when asked again',
    async () => {
      const id = await trigger(served);
      await untilState(served, id, 'running');
      await served.ask(`/runs/${id}/stop`, { method: 'POST', body: { how: 'cancel' } });
      await untilState(served, id, 'cancelled', 'drained');
      writeFileSync(join(folder, 'go'), '');
      expect((await served.ask(`/runs/${id}/resume`, { method: 'POST' })).status).toBe(200);
      expect(await untilState(served, id, 'completed', 'failed', 'interrupted')).toMatchObject({ state: 'completed' });
      expect((await served.ask(`/runs/${id}/resume`, { method: 'POST' })).status).toBe(409);
      rmSync(join(folder, 'go'));
    },
    LIMIT_MS,
  );

  it(
    'ends a run whose folder is damaged, and goes on with the others',
    async () => {
      const id = await trigger(served);
      await untilState(served, id, 'running');
      const pid = pidOf(folder, id);
      writeFileSync(join(folder, '.millrace', 'runs', id, 'manifest.json'), '{ damaged');
      expect(await untilState(served, id, 'interrupted')).toMatchObject({
        problem: expect.stringContaining('manifest.json'),
      });
      process.kill(pid, 'SIGKILL');
      writeFileSync(join(folder, 'go'), '');
      await untilState(served, await trigger(served), 'completed');
      rmSync(join(folder, 'go'));
    },
    LIMIT_MS,
  );

  it(
    'has schedules that users make, change and remove, and never replaces what they write',
    async () => {
      const put = (name: string, body: unknown): ReturnType<Served['ask']> =>
        served.ask(`/schedules/Flow/${name}`, { method: 'PUT', body });
      const rule = { every: '1s', overlap: 'allow', settings: { text: '${CANARY}' } };
      expect((await put('often', rule)).body).toMatchObject({ rule: 'every 1s', madeBy: 'token file', stated: rule });
      writeFileSync(join(folder, 'go'), '');
      const { runs } = await untilRuns(served, 'schedule=Flow/often&state=completed');
      expect(readFileSync(join(folder, 'text'), 'utf8')).toBe('${CANARY}');
      expect(runs[0]).toMatchObject({ origin: 'schedule', settings: { text: '${CANARY}' } });
      expect((await put('often', { ...rule, every: '6h' })).body).toMatchObject({ rule: 'every 6h', generation: 2 });
      const refused: readonly [string, object, RegExp][] = [
        ['often', { cron: '61 * * * *', zone: 'Europe/Berlin' }, /not a cron pattern/],
        ['often', { cron: '0 2 30 2 *', zone: 'Europe/Berlin' }, /never matches/],
        ['often', { every: '1h', settings: { path: '/etc' } }, /Its `params` are text/],
        ['often', { cron: '* * * * *' }, /zone/],
        ['often', { every: '1h', jitter: 'soon' }, /must be a whole number and s, m, h or d/],
        ['a b', { every: '1h' }, /letters, digits/],
      ];
      for (const [name, body, message] of refused) {
        const { status, body: answer } = await put(name, body);
        expect([status, answer['message']]).toEqual([400, expect.stringMatching(message)]);
      }
      const preview = await served.ask('/schedules/preview', { method: 'POST', body: { every: '1h' } });
      expect((preview.body['next'] as unknown[]).length).toBe(10);
      expect((await served.ask('/schedules/Flow/often', { method: 'DELETE' })).status).toBe(200);
      expect((await served.ask('/schedules/Flow/often', { method: 'DELETE' })).status).toBe(404);
      expect(JSON.stringify((await served.ask('/schedules')).body)).not.toContain('often');
      rmSync(join(folder, 'go'));
    },
    LIMIT_MS,
  );

  it(
    'has runs for ticks of the past, one after another, after a preview',
    async () => {
      const to = Math.floor(Date.now() / 3_600_000) * 3_600_000;
      const range = { from: to - 3 * 3_600_000, to };
      await served.ask('/schedules/Flow/hourly', { method: 'PUT', body: { every: '1h' } });
      const ticks = [1, 2, 3].map((hours) => range.from + hours * 3_600_000);
      const preview = await served.ask(`/schedules/Flow/hourly/backfill?from=${range.from}&to=${range.to}`);
      expect(preview.body).toEqual({ count: 3, ticks, settings: {} });
      const ask = (body: object): ReturnType<Served['ask']> =>
        served.ask('/schedules/Flow/hourly/backfill', { method: 'POST', body: { ...body, requestKey: 'again' } });
      const { body: made } = await ask(range);
      expect((await ask(range)).body['id']).toBe(made['id']);
      expect((await ask({ ...range, from: range.from - 1 })).status).toBe(409);
      expect((await ask({ ...range, to: Date.now() + 60_000 })).status).toBe(400);
      writeFileSync(join(folder, 'go'), '');
      const query = `backfill=${String(made['id'])}&state=completed`;
      const { runs } = await untilRuns(served, query, 3);
      const byTick = [...runs].sort((a, b) => Number(a['scheduledFor']) - Number(b['scheduledFor']));
      expect(byTick.map(({ scheduledFor }) => scheduledFor)).toEqual(ticks);
      expect(byTick.map(({ coversFrom }) => coversFrom)).toEqual([range.from, ...ticks.slice(0, 2)]);
      expect((await served.ask('/backfills')).body).toMatchObject({
        backfills: [{ count: 3, states: { completed: 3 } }],
      });
      rmSync(join(folder, 'go'));
      const { body: second } = await served.ask('/schedules/Flow/hourly/backfill', { method: 'POST', body: range });
      const stop = await served.ask(`/backfills/${String(second['id'])}/stop`, {
        method: 'POST',
        body: { how: 'cancel' },
      });
      expect(stop.body).toEqual({ stopped: 3 });
      await untilRuns(served, `backfill=${String(second['id'])}&state=cancelled`, 3);
      await served.ask('/schedules/Flow/hourly', { method: 'DELETE' });
    },
    LIMIT_MS,
  );

  it(
    'is asked by commands, which say what it refuses',
    async () => {
      await served.ask('/schedules/Flow/hourly', { method: 'PUT', body: { every: '1h' } });
      const range = ['--from', '2026-01-05T00:10:00Z', '--to', '2026-01-05T02:10:00Z'];
      const command = (...words: readonly string[]): { readonly out: string; readonly err: string } => {
        const { stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...words, '--server', served.url], {
          cwd: folder,
          env: { ...process.env, MILLRACE_TOKEN: served.token },
          encoding: 'utf8',
        });
        return { out: stdout, err: stderr };
      };
      expect(command('backfill', 'Flow/hourly', ...range, '--preview').out).toBe(
        '2026-01-05T01:00:00.000Z\n2026-01-05T02:00:00.000Z\n',
      );
      writeFileSync(join(folder, 'go'), '');
      const { out, err } = command('backfill', 'Flow/hourly', ...range);
      expect(err).toBe('2 runs queued\n');
      const { runs } = await untilRuns(served, `backfill=${out.trim()}&state=completed`, 2);
      // All of them have a run now.
      expect(command('backfill', 'Flow/hourly', ...range, '--missing', '--preview').out).toBe('');
      expect(command('backfill', 'Flow/hourly', ...range, '--missing').err).toContain('No run is missing');
      expect(command('logs', String(runs[0]?.['id'])).err).toBe('');
      expect(command('logs', 'none').err).toContain("There is no run 'none'");
      expect(command('backfill', 'Flow/hourly', '--from', 'yesterday', '--to', 'x').err).toContain("got 'yesterday'");
      expect(existsSync(command('backup').out.trim())).toBe(true);
      rmSync(join(folder, 'go'));
    },
    LIMIT_MS,
  );

  it(
    'is the only server of its folder',
    async () => {
      await expect(serve(folder)).rejects.toThrow('MILLRACE_LOCKED');
    },
    LIMIT_MS,
  );
});

describe('a server that is killed', () => {
  it(
    'adopts the run that went on, resumes the one that died, and decides each tick once',
    async () => {
      const folder = newFolder({ often: { every: '2s', overlap: 'skip' } });
      let served = await serve(folder, '--max-runs', '8');
      try {
        const [goesOn, dies] = [await trigger(served), await trigger(served)];
        await untilState(served, goesOn, 'running');
        await untilState(served, dies, 'running');
        await end(served, 'SIGKILL');
        process.kill(pidOf(folder, dies), 'SIGKILL');
        served = await serve(folder, '--max-runs', '8');
        await until(() => existsSync(join(folder, '.millrace', 'runs', dies, 'incarnation-2.json')));
        // The first scheduled run waits for the file, so a later tick meets it.
        await until(async () => {
          const found = (await served.ask('/schedules/Flow/often/decisions?limit=200')).body;
          return (found['decisions'] as StoredDecision[]).some(({ reason }) => reason === 'overlap');
        });
        writeFileSync(join(folder, 'go'), '');
        for (const id of [goesOn, dies]) {
          expect(await untilState(served, id, 'completed', 'failed', 'interrupted')).toMatchObject({
            state: 'completed',
          });
        }
        const incarnations = (id: string): number =>
          readdirSync(join(folder, '.millrace', 'runs', id)).filter((name) => name.startsWith('incarnation-')).length;
        expect([incarnations(goesOn), incarnations(dies)]).toEqual([1, 2]);
        await served.ask('/schedules/Flow/often/pause', { method: 'POST', body: { note: 'the end' } });
        const { body } = await served.ask('/schedules/Flow/often/decisions?limit=200');
        const decisions = (body['decisions'] as StoredDecision[]).filter(({ reason }) => reason !== 'paused').reverse();
        // From the first tick to the last each one is there once, as a run or with its reason.
        decisions.sort((a, b) => a.from - b.from);
        decisions.forEach(({ from, to, count }, index) => {
          const before = decisions[index - 1];
          if (before !== undefined) expect(from - before.to).toBe(2000);
          expect(count).toBe((to - from) / 2000 + 1);
        });
        expect(decisions.some(({ reason }) => reason === 'overlap')).toBe(true);
        await until(async () => (await served.ask('/overview')).body['active']?.toString() === '');
      } finally {
        writeFileSync(join(folder, 'go'), '');
        await end(served);
        removeFolder(folder);
      }
    },
    LIMIT_MS,
  );
});

describe('a server that sends alerts', () => {
  it(
    'runs a command for dead letters, once, and lets a run wait for a pool that is full',
    async () => {
      const folder = newFolder();
      const served = await serve(folder, '--alert', 'cat >> alerts.ndjson', '--pool', 'few=1');
      try {
        const id = await trigger(served);
        const second = await trigger(served);
        const waiting = await untilWaits(served, second);
        expect(waiting).toBe("It waits for the pool 'few': 1 of 1 of its places are taken");
        writeFileSync(join(folder, 'go'), '');
        await untilState(served, id, 'completed');
        await untilState(served, second, 'completed');
        const sent = async (): Promise<readonly Record<string, unknown>[]> =>
          (await served.ask('/alerts')).body['alerts'] as Record<string, unknown>[];
        await until(async () => (await sent()).filter(({ sentAt }) => sentAt !== null).length === 2);
        const lines = readFileSync(join(folder, 'alerts.ndjson'), 'utf8').trim().split('\n');
        const alerts = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
        expect(alerts.map(({ kind, runId, text }) => [kind, runId, text])).toEqual(
          [id, second].map((run) => [
            'dead letters',
            run,
            `Run ${run} of Flow has a dead letter, and an alert is asked for above 0`,
          ]),
        );
        expect(Object.keys(alerts[0] ?? {}).sort()).toEqual([
          'at',
          'id',
          'kind',
          'runId',
          'schedule',
          'text',
          'workflow',
        ]);
      } finally {
        writeFileSync(join(folder, 'go'), '');
        await end(served);
        removeFolder(folder);
      }
    },
    LIMIT_MS,
  );

  it.each([
    ['--pool', 'few', 'Expected --pool to be a name and a size from 1, such as warehouse=2, once for each name, got'],
    ['--pool', 'few=0', 'Expected --pool to be a name and a size'],
    ['--alert', 'https://ada:secret@example.org', 'The address of --alert is not valid, or has a user name in it'],
  ])('refuses %s %s with the reason', async (option, word, reason) => {
    const folder = newFolder();
    try {
      await expect(serve(folder, option, word)).rejects.toThrow(reason);
    } finally {
      removeFolder(folder);
    }
  });
});

async function untilWaits(served: Served, id: string): Promise<unknown> {
  let why: unknown;
  await until(async () => {
    why = (await served.ask(`/runs/${id}`)).body['waitsFor'];
    return typeof why === 'string' && why.startsWith('It waits for the pool');
  });
  return why;
}
