/** What strangers can do to a server, and learn from it, while it does not know its workflows or a file does not load. */
import { afterEach, expect, it } from '@jest/globals';
import { buildApp, type App, type AppOptions } from '#lib/server/api/app.js';
import { HOOK_SECRET, hookHeaders } from '../support/served.js';

let app: App | undefined;
afterEach(() => app?.http.close());

const known = { id: 'Hooked/hook', workflow: 'Hooked', name: 'hook', trigger: { webhook: 'SECRET' }, problem: '' };

/** Sends a message to a webhook of a server with these ports. */
type Post = (hook: string, headers?: Readonly<Record<string, string>>) => Promise<{ status: number; text: string }>;

async function listen(ports: Partial<Record<keyof AppOptions, unknown>>): Promise<Post> {
  let url = '';
  const others = { store: {}, views: {}, now: () => Date.now(), hosts: () => [new URL(url).host], pages: '/none' };
  const hooks = { triggers: () => [known], triggerPause: () => undefined, environment: { SECRET: HOOK_SECRET } };
  const { http } = (app = buildApp({ ...others, ...hooks, ...ports } as unknown as AppOptions));
  url = await http.listen({ host: '127.0.0.1', port: 0 });
  return async (hook, headers = {}) => {
    const all = { 'content-type': 'application/json', ...headers };
    const answer = await fetch(`${url}/api/v1/hooks/${hook}`, { method: 'POST', headers: all, body: '{}' });
    return { status: answer.status, text: await answer.text() };
  };
}

it('of the messages for webhooks, at most 500 wait until the workflows are known', async () => {
  const catalog = { isDescribed: false, problems: [] };
  let describe = (): void => undefined;
  const firstDescription = new Promise<void>((resolve) => (describe = resolve));
  const post = await listen({ catalog, firstDescription });
  const all = Array.from({ length: 501 }, () => post('Hooked/hook'));
  expect((await Promise.race(all)).status).toBe(503);
  catalog.isDescribed = true;
  describe();
  expect((await Promise.all(all)).filter(({ status }) => status === 401)).toHaveLength(500);
});

it('the answer to a webhook names no problem of a file', async () => {
  const catalog = { isDescribed: false, problems: ['/secret/file.js does not load'] };
  const post = await listen({ catalog, firstDescription: Promise.resolve() });
  const { status, text } = await post('Hooked/hook');
  expect([status, JSON.parse(text)]).toEqual([
    503,
    {
      code: 'MILLRACE_USAGE',
      message: 'The server does not know its workflows yet. Send the request again later',
    },
  ]);
});

it('while a file does not load, a wrong signature and an unknown webhook have the same answer', async () => {
  const catalog = { isDescribed: true, problems: ['/secret/file.js does not load'] };
  const post = await listen({ catalog, firstDescription: Promise.resolve() });
  const wrong = { ...hookHeaders('one'), 'webhook-signature': 'v1,AAAA' };
  const answers = [await post('Hooked/hook', wrong), await post('No/hook', hookHeaders('one'))];
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]?.status).toBe(503);
  catalog.problems = [];
  expect((await post('Hooked/hook', wrong)).status).toBe(401);
});
