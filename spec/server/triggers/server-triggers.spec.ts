/** Triggers of the real server: webhooks, files, and the end of another workflow. */
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  addWorkflow,
  end,
  HOOK_SECRET,
  newFolder,
  removeFolder,
  serve,
  until,
  type Served,
} from '../support/served.js';

const LIMIT_MS = 60_000;

describe('the triggers of a server', () => {
  let folder: string;
  let served: Served;
  let path: string;
  beforeAll(async () => {
    folder = newFolder();
    path = join(folder, 'incoming', 'a ${CANARY};$(x).csv');
    mkdirSync(join(folder, 'incoming'));
    writeFileSync(join(folder, 'go'), '');
    const hook = { webhook: 'HOOK_SECRET', fromBody: { text: '/order/text' }, settings: { canary: '${CANARY}' } };
    addWorkflow(folder, 'Hooked', { params: ['text'], triggers: { hook, unset: { webhook: 'UNSET_SECRET' } } });
    addWorkflow(folder, 'Filed', {
      triggers: { csv: { files: 'incoming/*.csv', settings: { path: '${MILLRACE_FILE}' } } },
    });
    const settings = { before: '${MILLRACE_AFTER_RUN}' };
    addWorkflow(folder, 'After', { triggers: { hooked: { after: 'Hooked', settings } } });
    addWorkflow(folder, 'Circle', { triggers: { self: { after: 'Circle' } } });
    writeFileSync(path, 'a\n');
    served = await serve(folder);
  }, LIMIT_MS);
  afterAll(async () => {
    await end(served);
    removeFolder(folder);
  });

  const completed = async (workflow: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    (await served.ask(`/runs?workflow=${workflow}&state=completed`)).body['runs'] as Record<string, unknown>[];
  const written = (name: string): unknown => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
  const send = (
    id: string,
    body: string,
    { place = 'Hooked/hook', secret = HOOK_SECRET, sent = body, at = Date.now() } = {},
  ): ReturnType<Served['ask']> => {
    const timestamp = String(Math.floor(at / 1000));
    const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
    return served.ask(`/hooks/${place}`, { method: 'POST', body: sent, token: '', headers });
  };

  it(
    'start one run for each message that is signed, with what the message sets, and one run after it',
    async () => {
      const message = JSON.stringify({ order: { text: 'a ${CANARY} $${CANARY}' } });
      const { status, body } = await send('m1', message);
      expect([status, typeof body['runId']]).toEqual([202, 'string']);
      expect(await send('m1', message)).toEqual({ status: 202, body });
      await until(async () => (await completed('Hooked')).length > 0);
      const [run, ...others] = await completed('Hooked');
      expect([run, others]).toEqual([
        expect.objectContaining({ id: body['runId'], origin: 'webhook', triggeredBy: 'Hooked/hook', subject: 'm1' }),
        [],
      ]);
      expect(written('Hooked')).toEqual({ canary: 'a-secret-canary', text: 'a ${CANARY} $${CANARY}' });
      await until(async () => (await completed('After')).length > 0);
      expect(await completed('After')).toMatchObject([{ origin: 'workflow', subject: body['runId'] }]);
      expect(written('After')).toEqual({ before: body['runId'] });
      const { body: events } = await served.ask('/triggers/Hooked/hook/deliveries');
      expect(events['deliveries']).toMatchObject([{ subject: 'm1', runId: body['runId'] }]);
    },
    LIMIT_MS,
  );

  it('answer a wrong signature, an unknown webhook and an old message alike', async () => {
    const wrong = [
      await send('m2', '{}', { secret: 'another secret of a webhook' }),
      await send('m2', '{}', { place: 'Hooked/none' }),
      await send('m2', '{}', { place: 'Filed/csv' }),
      await send('m2', '{}', { place: 'Hooked/unset', secret: '' }),
      await send('m2', '{}', { sent: '{"order":1}' }),
      await send('m2', '{}', { at: Date.now() - 400_000 }),
      await served.ask('/hooks/Hooked/hook', { method: 'POST', body: {}, token: served.token }),
    ];
    expect(new Set(wrong.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(wrong[0]?.status).toBe(401);
  });

  it('refuse a message without what its settings need, one that is too large, and too many of them', async () => {
    expect((await send('m3', '{"order":{}}')).body['message']).toContain("nothing at '/order/text'");
    expect((await send('m4', 'no JSON')).status).toBe(400);
    expect((await send('m5', JSON.stringify('x'.repeat(300_000)))).status).toBe(413);
    const statuses = await Promise.all(Array.from({ length: 61 }, async (_, n) => (await send(`x${n}`, '{}')).status));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
  });

  it(
    'start a run for a file whatever its name is, and say what is wrong with the others',
    async () => {
      await until(async () => (await completed('Filed')).length > 0);
      expect(written('Filed')).toEqual({ path });
      expect(await completed('Filed')).toMatchObject([{ origin: 'file', subject: path }]);
      const { body } = await served.ask('/triggers');
      const problems = (body['triggers'] as { id: string; problem: string }[]).map(({ id, problem }) => [id, problem]);
      expect(Object.fromEntries(problems)).toEqual({
        'After/hooked': '',
        'Circle/self': "'Circle' and 'Circle' start each other in a circle",
        'Filed/csv': '',
        'Hooked/hook': '',
        'Hooked/unset': 'The environment variable UNSET_SECRET of the server, with the secret, is not set',
      });
    },
    LIMIT_MS,
  );

  it(
    'start nothing while they are paused; files that are there start runs once they go on',
    async () => {
      const act = (trigger: string, verb: 'pause' | 'unpause', body?: object): ReturnType<Served['ask']> =>
        served.ask(`/triggers/${trigger}/${verb}`, { method: 'POST', body });
      const before = (await completed('After')).length;
      for (const id of ['Hooked/hook', 'Filed/csv', 'After/hooked']) {
        expect((await act(id, 'pause', { note: 'holidays' })).body).toMatchObject({
          pause: { by: 'token file', note: 'holidays' },
        });
      }
      // Nobody learns of a pause without the secret.
      expect((await send('p1', '{}', { secret: 'another secret of a webhook' })).status).toBe(401);
      expect((await send('p1', '{}')).status).toBe(503);
      writeFileSync(join(folder, 'incoming', 'later.csv'), 'a\n');
      const { body } = await served.ask('/workflows/Hooked/runs', { method: 'POST', body: {} });
      await until(async () => (await served.ask(`/runs/${String(body['id'])}`)).body['state'] === 'completed');
      expect([(await completed('After')).length, (await completed('Filed')).length]).toEqual([before, 1]);
      expect((await act('Hooked/hook', 'unpause')).body['pause']).toBeNull();
      for (const id of ['Filed/csv', 'After/hooked']) await act(id, 'unpause');
      expect((await send('p1', '{}')).status).not.toBe(503);
      await until(async () => (await completed('Filed')).length > 1);
      const subjects = (await completed('Filed')).map(({ subject }) => subject);
      expect(subjects).toEqual([join(folder, 'incoming', 'later.csv'), path]);
      expect((await completed('After')).length).toBe(before);
      expect((await act('Hooked/none', 'pause', {})).status).toBe(404);
    },
    LIMIT_MS,
  );
});
