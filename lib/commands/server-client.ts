/**
 * Requests of the command line to a server. The token comes from the environment, never from an option, because other
 * users can see the options of a process.
 */
import type { Options } from 'yargs';
import { describeThrown, MillraceError } from '../model/errors.js';
import type { Json } from '../model/json.js';
import type { Arguments } from './arguments.js';

const DEFAULT_SERVER = 'http://127.0.0.1:4747';
const PATIENCE_MS = 30_000;

export const serverOptions = {
  server: {
    type: 'string',
    requiresArg: true,
    describe: `The address of a server; MILLRACE_TOKEN must hold a token for it`,
  },
} satisfies Record<string, Options>;

export interface ServerClient {
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body?: Json): Promise<Answer>;
}

/**
 * The server that the arguments name, or the default one. Throws MILLRACE_USAGE if there is no token, or if the address
 * is not a URL.
 */
export function serverFrom(args: Arguments): ServerClient {
  const address = args.text('server') ?? DEFAULT_SERVER;
  const token = process.env['MILLRACE_TOKEN'];
  if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      `Expected --server to be an address such as ${DEFAULT_SERVER}, got '${address}'`,
    );
  }
  if (token === undefined || token === '') {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'A server asks for a token, and the environment variable MILLRACE_TOKEN is not set. On the machine of the server, the file .millrace/server/token has one',
    );
  }
  const send = async <Answer>(method: string, path: string, body?: Json): Promise<Answer> => {
    let response: Response;
    try {
      response = await fetch(new URL(`/api/v1${path}`, address), {
        method,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${token.trim()}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      const why = describeThrown((error as Error).cause ?? error);
      throw new MillraceError(
        'MILLRACE_NETWORK',
        `The server ${address} does not answer: ${why}. Start it, or check --server`,
        {
          cause: error,
        },
      );
    }
    const answer = (await response.json().catch(() => undefined)) as { readonly message?: string } | undefined;
    if (response.ok && answer !== undefined) return answer as Answer;
    const why = answer?.message ?? `status ${response.status}`;
    throw new MillraceError('MILLRACE_USAGE', `The server ${address} refuses: ${why}`);
  };
  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
  };
}

/** A part of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}
