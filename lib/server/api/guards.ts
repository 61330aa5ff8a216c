/**
 * The checks that each request must pass before it is routed, and the headers of each answer.
 *
 * Guarantees: a page of another origin can neither read nor change anything, also if its name was made to resolve to
 * this address (DNS rebinding); no answer can be framed, sniffed or cached, and no script that is not ours runs on a
 * page.
 */
import type { FastifyInstance } from 'fastify';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** @param hosts the values of the header `Host` that are answered, in lower case. */
export function guard(app: FastifyInstance, hosts: () => readonly string[]): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const { host, origin } = request.headers;
    const isKnown = (name: string | undefined): boolean => name !== undefined && hosts().includes(name.toLowerCase());
    if (!isKnown(host) || request.raw.headersDistinct['host']?.length !== 1) {
      return refuse(reply, 421, 'MILLRACE_USAGE', 'This server does not answer under this name. --allow-host adds one');
    }
    const site = request.headers['sec-fetch-site'];
    const isForeign = origin !== undefined && !isKnown(/^https?:\/\/([^/]+)$/.exec(origin)?.[1]);
    const isNavigation = request.method === 'GET' && request.headers['sec-fetch-mode'] === 'navigate';
    if (isForeign || (site === 'cross-site' && !isNavigation)) {
      return refuse(reply, 403, 'MILLRACE_USAGE', 'Pages of other origins may not use this server');
    }
    const hasBody =
      Number(request.headers['content-length'] ?? 0) > 0 || request.headers['transfer-encoding'] !== undefined;
    const type = request.headers['content-type'];
    const isJson = type === 'application/json' || type === 'application/json; charset=utf-8';
    if ((hasBody && !isJson) || request.headers['content-encoding'] !== undefined) {
      return refuse(
        reply,
        415,
        'MILLRACE_USAGE',
        'Expected a body with content-type: application/json, without encoding',
      );
    }
    return undefined;
  });
}

interface Answerable {
  code(status: number): { send(body: object): unknown };
}

function refuse(reply: Answerable, status: number, code: string, message: string): unknown {
  return reply.code(status).send({ code, message });
}
