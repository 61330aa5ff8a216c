/**
 * Requests to a server, with a token.
 *
 * Guarantees: a request is sent once, and no redirect is followed; an answer that is not a success is an error with its
 * status; no message contains the token.
 */
import { describeThrown, ERROR_CODES, MillraceError, type ErrorCode } from '../model/errors.js';
import type { RequestOf, Routes } from './routes.js';

/** The time within which a server must answer. */
const PATIENCE_MS = 30_000;

/** The server has refused a request: it does not know a name in the request, or does not allow the request. */
export class ServerRefusedError extends MillraceError {
  /** The HTTP status: 401 without a valid token, 403 for a forbidden role, 404 for an unknown name, 409, 429. */
  readonly status: number;

  constructor(code: ErrorCode, message: string, status: number) {
    super(code, message, { retryable: status === 429 || status >= 500 });
    this.status = status;
  }
}

interface Parts {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: object;
  readonly body?: unknown;
}

export class ServerRequests {
  readonly url: string;
  private readonly token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.token = token;
  }

  /** The answer of a route. Rejects with a ServerRefusedError, or with MILLRACE_NETWORK. */
  async call<Route extends keyof Routes>(route: Route, request: RequestOf<Route>): Promise<Routes[Route]['answer']> {
    const [method = '', template = ''] = route.split(' ');
    const { path = {}, query = {}, body } = request as Parts;
    const filled = template.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
    const response = await this.send(method, `${filled}${queryOf(query)}`, body, AbortSignal.timeout(PATIENCE_MS));
    try {
      return (await response.json()) as Routes[Route]['answer'];
    } catch (error) {
      throw this.silent(error);
    }
  }

  /** A text that a server sends as a file. Rejects as `call` does. */
  async text(path: string): Promise<string> {
    const response = await this.send('GET', path, undefined, AbortSignal.timeout(PATIENCE_MS));
    try {
      return await response.text();
    } catch (error) {
      throw this.silent(error);
    }
  }

  /** Resolves with a successful answer before its body is read. Rejects as `call` does. */
  async send(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(`/api/v1${path}`, this.url), {
        method,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${this.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
      });
    } catch (error) {
      throw this.silent(error);
    }
    if (response.ok) return response;
    const answer = (await response.json().catch(() => ({}))) as { readonly code?: string; readonly message?: string };
    const code = Object.hasOwn(ERROR_CODES, answer.code ?? '') ? (answer.code as ErrorCode) : 'MILLRACE_USAGE';
    const why = answer.message ?? `status ${response.status}`;
    throw new ServerRefusedError(code, `The server ${this.url} refuses: ${why}`, response.status);
  }

  private silent(error: unknown): MillraceError {
    const why = describeThrown((error as Error).cause ?? error);
    const message = `The server ${this.url} does not answer: ${why}. Start it, or check the address`;
    return new MillraceError('MILLRACE_NETWORK', message, { cause: error, retryable: true });
  }
}

/** The query as a text, such as `?a=1&b=2`; '' without values. */
export function queryOf(query: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query as Readonly<Record<string, string | number | undefined>>)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}
