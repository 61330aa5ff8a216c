/**
 * The request that follows a redirect (RFC 9110, 15.4, as in the Fetch standard).
 *
 * Guarantees: credentials are not sent to another origin. Requests go only to http: and https: URLs.
 */
import { Readable } from 'node:stream';
import { UpstreamError, describeValue } from '../../connect/index.js';

/** One request of a chain of redirects. */
export interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** A stream can be sent once, so it cannot follow a redirect that repeats it. */
  readonly body: string | Uint8Array | Readable | null;
}

/** @param credentials header names in lower case that must not cross origins. */
export function followRedirect(from: Hop, status: number, location: string, credentials: ReadonlySet<string>): Hop {
  const url = parse(location, from.url);
  // 303 points to another resource. Since the first browsers, 301 and 302 are treated alike for POST.
  const becomesGet = (status === 303 && from.method !== 'HEAD') || (status <= 302 && from.method === 'POST');
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(from.headers)) {
    const key = name.toLowerCase();
    if (url.origin !== from.url.origin && credentials.has(key)) continue;
    if (becomesGet && key.startsWith('content-')) continue;
    // The host header is set for the new host.
    if (key !== 'host') headers[name] = value;
  }
  if (!becomesGet && from.body instanceof Readable) {
    throw new UpstreamError(
      'MILLRACE_TASK',
      `${from.url.origin} redirects a request whose body is a stream, which can be sent only once. Call ${url.origin} directly, or return bytes from \`body\``,
      { blame: 'record' },
    );
  }
  return becomesGet ? { url, method: 'GET', headers, body: null } : { ...from, url, headers };
}

function parse(location: string, base: URL): URL {
  let url: URL | undefined;
  try {
    url = new URL(location, base);
  } catch {
    // The error below is clearer than the parser's.
  }
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new UpstreamError(
    'MILLRACE_BAD_RESPONSE',
    `${base.origin} redirects to ${describeValue(location)}, which is not an http: or https: URL`,
    { blame: 'record' },
  );
}
