/**
 * What to ask after a redirect (RFC 9110, 15.4, as the Fetch standard does it). Promise: credentials stay with the origin
 * they were meant for; a request only ever goes to http: or https:.
 */
import { UpstreamError } from '../../model/upstream-error.js';
import { describeValue } from '../../model/errors.js';

/** One request of a chain of redirects. */
export interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string | Uint8Array | null;
}

/** @param credentials names of headers in lower case that must not cross origins. */
export function followRedirect(from: Hop, status: number, location: string, credentials: ReadonlySet<string>): Hop {
  const url = parse(location, from.url);
  // 303 asks for another resource; 301 and 302 are treated so for POST since the first browsers.
  const becomesGet = (status === 303 && from.method !== 'HEAD') || (status <= 302 && from.method === 'POST');
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(from.headers)) {
    const key = name.toLowerCase();
    if (url.origin !== from.url.origin && credentials.has(key)) continue;
    if (becomesGet && key.startsWith('content-')) continue;
    // Made anew for the host that is asked.
    if (key !== 'host') headers[name] = value;
  }
  return becomesGet ? { url, method: 'GET', headers, body: null } : { ...from, url, headers };
}

function parse(location: string, base: URL): URL {
  let url: URL | undefined;
  try {
    url = new URL(location, base);
  } catch {
    // The message below says it better than the parser does.
  }
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new UpstreamError(
    'MILLRACE_BAD_RESPONSE',
    `${base.origin} redirects to ${describeValue(location)}, which is no http: or https: URL`,
    { blame: 'record' },
  );
}
