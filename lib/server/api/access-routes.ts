/** The routes for sessions of pages, tokens and the audit. */
import { audit, httpError, type Api } from './api.js';
import { backUp } from '../store/back-up.js';
import {
  Audit,
  Backup,
  Done,
  Me,
  NewToken,
  Problem,
  Session,
  SessionBody,
  TokenBody,
  TokenParams,
  Tokens,
} from './schemas.js';

const SHOWN_ENTRIES = 200;

export function accessRoutes(api: Api): void {
  const { http, access, store } = api;
  http.post(
    '/api/v1/session',
    {
      config: { role: 'public', summary: 'Exchanges the one-time code of the printed address for a token' },
      schema: { body: SessionBody, response: { 200: Session, 401: Problem, 429: Problem } },
    },
    async ({ body }) => {
      const session = await access.exchange(body.code);
      if (session === 'later') throw httpError(429, 'MILLRACE_USAGE', 'Too many wrong codes. Try again in a minute');
      if (session === 'wrong') {
        throw httpError(
          401,
          'MILLRACE_USAGE',
          'This code was used, or has expired. Start the server again for a new one, or use a token',
        );
      }
      return { ...session, role: 'admin' as const };
    },
  );
  http.get(
    '/api/v1/me',
    { config: { role: 'viewer', summary: 'The name and the role of the token' }, schema: { response: { 200: Me } } },
    ({ user }) => Promise.resolve({ name: user?.name ?? '', role: user?.role ?? 'viewer' }),
  );
  http.get(
    '/api/v1/tokens',
    { config: { role: 'admin', summary: 'The tokens, without their secrets' }, schema: { response: { 200: Tokens } } },
    async () => ({ tokens: (await store.tokens()).map(({ hash: _, ...token }) => token) }),
  );
  http.post(
    '/api/v1/tokens',
    {
      config: { role: 'admin', summary: 'Makes a token, which is shown once' },
      schema: { body: TokenBody, response: { 200: NewToken } },
    },
    async (request) => {
      const { name, role, days } = request.body;
      await audit(api, request, 'make token', `${name} (${role})`);
      return { token: await access.newToken(name, role, days) };
    },
  );
  http.delete(
    '/api/v1/tokens/:id',
    {
      config: { role: 'admin', summary: 'Removes a token: it works no more' },
      schema: { params: TokenParams, response: { 200: Done, 404: Problem } },
    },
    async (request) => {
      const { id } = request.params;
      if (!(await store.removeToken(id))) throw httpError(404, 'MILLRACE_USAGE', `There is no token '${id}'`);
      await audit(api, request, 'remove token', id);
      return {};
    },
  );
  http.post(
    '/api/v1/backup',
    {
      config: { role: 'admin', summary: 'Copies the store into a file of the server, and keeps the last five copies' },
      schema: { response: { 200: Backup } },
    },
    async (request) => {
      const path = await backUp(store, api.backups, api.now());
      await audit(api, request, 'back up', path);
      return { path };
    },
  );
  http.get(
    '/api/v1/audit',
    { config: { role: 'admin', summary: 'The actions of users, newest first' }, schema: { response: { 200: Audit } } },
    async () => ({ entries: [...(await store.audit(SHOWN_ENTRIES))] }),
  );
}
