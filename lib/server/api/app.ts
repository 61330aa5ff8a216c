/**
 * The HTTP application: guards, access, and the routes.
 *
 * Guarantees: each route below /api names the role that it needs, or the application does not start; requests and
 * answers are checked by the schemas from which the OpenAPI document is made; a request cannot name a path or an
 * address.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { codeOf, describeThrown, MillraceError } from '../../model/errors.js';
import { versionOfMillrace } from '../../observe/version.js';
import { Access } from './access.js';
import { guard } from './guards.js';
import { LiveStreams } from './live.js';
import { openApiOf, type DocumentedRoute } from './open-api.js';
import { servePages } from './pages.js';
import { mayUse, type RouteRole } from './roles.js';
import { accessRoutes } from './access-routes.js';
import { overviewRoutes } from './overview-routes.js';
import { explanationRoutes } from './explanation-routes.js';
import { queueRoutes } from './queue-routes.js';
import { recordRoutes } from './record-routes.js';
import { runRoutes } from './run-routes.js';
import { backfillRoutes } from './backfill-routes.js';
import { triggerRoutes } from './trigger-routes.js';
import { scheduleRoutes } from './schedule-routes.js';
import { httpError, type Api, type ApiPorts } from './api.js';
import { Problem } from './schemas.js';
import { serializeByZod, validateByZod, type ZodProvider } from './zod-provider.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly role?: RouteRole;
    readonly summary?: string;
    /**
     * Present on routes that need to know the workflows, which take seconds after the start of a server. Such a request
     * waits; afterwards it goes on if it is 'awaited', and is refused with 503 if they are 'required' and still unknown.
     */
    readonly workflows?: 'awaited' | 'required';
  }
  interface FastifyRequest {
    /** The name and role of the token; undefined on a public route. */
    user: { readonly name: string; readonly role: 'viewer' | 'operator' | 'admin' } | undefined;
  }
}

const BODY_BYTES = 2 ** 20;
const REQUEST_MS = 30_000;
const MOST_LEVELS = 64;
const HEADERS_MS = 10_000;
/** More are closed at once. Each live stream is one. */
const MOST_CONNECTIONS = 1000;
/** The longest that a request waits for the first description of the workflows. */
const DESCRIPTION_MS = 10_000;
/** The most requests that wait for it. A connection may hold many of them, also from clients without a token. */
const MOST_AWAITING = 500;

export interface AppOptions extends ApiPorts {
  /** The values of the header `Host` that are answered. */
  readonly hosts: () => readonly string[];
  /** The folder of the built dashboard. */
  readonly pages: string;
}

export interface App {
  readonly http: FastifyInstance;
  readonly access: Access;
  readonly live: LiveStreams;
}

export function buildApp(options: AppOptions): App {
  const http = fastify({
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: HEADERS_MS / 2 },
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  });
  http.server.maxConnections = MOST_CONNECTIONS;
  const access = new Access(options.store, options.now);
  const live = new LiveStreams(options.views);
  readBodies(http);
  http.setValidatorCompiler(validateByZod);
  http.setSerializerCompiler(serializeByZod);
  http.decorateRequest('user', undefined);
  guard(http, options.hosts);
  const routes = documentRoutes(http);
  http.addHook('onRequest', (request, reply) => authorize(request, reply, access));
  http.addHook('onRequest', workflowsAwaiter(options));
  http.setErrorHandler((error: Error & { statusCode?: number }, _, reply) => {
    // The database of the store cannot be reached, or this server was silent and is joining the others again.
    const isAway = error instanceof MillraceError && error.retryable;
    const status = error.statusCode ?? (isAway ? 503 : 500);
    // A 503 with a code of ours is an answer that a route has chosen, such as that of a paused webhook.
    const isOurs = status < 500 || isAway || (error.statusCode === 503 && codeOf(error).startsWith('MILLRACE_'));
    return reply.code(status).send({
      code: codeOf(error).startsWith('MILLRACE_') ? codeOf(error) : 'MILLRACE_USAGE',
      message: isOurs ? error.message : `The server failed: ${describeThrown(error)}`,
    });
  });
  http.setNotFoundHandler((_, reply) =>
    reply.code(404).send({ code: 'MILLRACE_USAGE', message: 'There is nothing here' }),
  );
  const api: Api = { ...options, access, live, http: http.withTypeProvider<ZodProvider>() };
  overviewRoutes(api);
  runRoutes(api);
  explanationRoutes(api);
  recordRoutes(api);
  queueRoutes(api);
  scheduleRoutes(api);
  backfillRoutes(api);
  triggerRoutes(api);
  accessRoutes(api);
  http.get('/api/v1/openapi.json', { config: { role: 'viewer', summary: 'This document' } }, (_, reply) =>
    reply.send(openApiOf(routes, versionOfMillrace())),
  );
  servePages(http, options.pages);
  return { http, access, live };
}

/** Bodies are JSON of few levels: the checks of deep ones would exhaust the stack. */
function readBodies(http: FastifyInstance): void {
  const parse = http.getDefaultJsonParser('error', 'error');
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = String(body);
    if (!isDeep(text)) return parse(request, text, done);
    done(httpError(400, 'MILLRACE_USAGE', `Expected a body of at most ${MOST_LEVELS} levels of objects and arrays`));
  });
}

function isDeep(text: string): boolean {
  let levels = 0;
  let isString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isString = !isString;
    else if (isString) {
      if (character === '\\') at++;
    } else if (character === '[' || character === '{') {
      if (++levels > MOST_LEVELS) return true;
    } else if (character === ']' || character === '}') levels--;
  }
  return false;
}

/** Collects the routes, and refuses one without a role. */
function documentRoutes(http: FastifyInstance): readonly DocumentedRoute[] {
  const routes: DocumentedRoute[] = [];
  http.addHook('onRoute', ({ method, url, schema = {}, config }) => {
    const { role, summary = '', workflows } = config ?? {};
    if (role === undefined) throw new TypeError(`The route ${String(method)} ${url} names no role`);
    const mayWait = workflows === 'required' ? { 503: Problem } : {};
    const documented = { ...schema, response: { ...mayWait, ...(schema.response as object | undefined) } };
    if (url.startsWith('/api/')) routes.push({ method: String(method), url, role, summary, schema: documented });
  });
  return routes;
}

/**
 * Without this wait, a webhook that arrives at a server that has just started would be refused for good. Bodies are read
 * after the wait, so that waiting requests of clients without a token hold little memory.
 */
function workflowsAwaiter({ catalog, firstDescription }: ApiPorts): (request: FastifyRequest) => Promise<void> {
  // A function, because the state changes during the wait.
  const isDescribed = (): boolean => catalog.isDescribed;
  let awaiting = 0;
  return async ({ routeOptions: { config } }) => {
    if (config.workflows === undefined || isDescribed()) return;
    if (awaiting < MOST_AWAITING) {
      awaiting++;
      const limit = new AbortController();
      await Promise.race([firstDescription, sleep(DESCRIPTION_MS, undefined, limit).catch(() => undefined)]);
      limit.abort();
      awaiting--;
    }
    if (isDescribed() || config.workflows === 'awaited') return;
    // Problems name files and quote output: they are for users with a token.
    const isKnown = catalog.problems.length > 0 && config.role !== 'public';
    const why = isKnown ? catalog.problems.join('. ') : 'The server does not know its workflows yet';
    throw httpError(503, 'MILLRACE_USAGE', `${why}. Send the request again later`);
  };
}

/** An unknown route needs a token too, so a client without a token cannot find out the routes. */
async function authorize(request: FastifyRequest, reply: FastifyReply, access: Access): Promise<unknown> {
  const role = request.routeOptions.config.role ?? 'viewer';
  if (role === 'public') return undefined;
  if (new URL(request.url, 'http://x').searchParams.has('token')) {
    return reply.code(400).send({
      code: 'MILLRACE_USAGE',
      message: 'A token in an address is logged and remembered. Send it as Authorization: Bearer …',
    });
  }
  const token = await access.tokenOf(request.headers.authorization);
  if (token === undefined) {
    return reply.code(401).send({
      code: 'MILLRACE_USAGE',
      message: 'Expected the header Authorization: Bearer <token>, with a token that has not expired',
    });
  }
  if (!mayUse(token.role, role)) {
    return reply.code(403).send({
      code: 'MILLRACE_USAGE',
      message: `This needs a token with the role ${role}, and '${token.name}' has the role ${token.role}`,
    });
  }
  request.user = { name: token.name, role: token.role };
  return undefined;
}
