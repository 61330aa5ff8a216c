/** The address of a Spark Connect server, and the credentials of its user. */
import {
  callback,
  describeValue,
  either,
  MillraceError,
  text,
  type Awaitable,
  type ConnectorContext,
  type OptionRule,
} from '../../connect/index.js';

/** The address of a Spark Connect server and the token for it. */
export interface SparkConnection {
  /**
   * The address of the server, as all clients of Spark write it: `sc://host:15002/;use_ssl=true`. Parameters:
   * `use_ssl`, `user_id` and `token`.
   */
  readonly remote: string;
  /**
   * The token that the server requires, or a function that returns it and is called for each request. Default: the
   * token in `remote`, or none.
   */
  readonly token?: string | (() => Awaitable<string>);
}

/** An address that was read. */
export interface SparkAddress {
  /** `host:port`. */
  readonly target: string;
  readonly usesTls: boolean;
  readonly userId: string;
  readonly token: string | undefined;
}

const DEFAULT_PORT = 15_002;
const PARAMETERS = ['use_ssl', 'user_id', 'token'];
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

export const sparkConnectionRules: Readonly<Record<keyof SparkConnection, OptionRule>> = {
  remote: text,
  token: either(text, callback),
};

/**
 * Reads an address. Throws MILLRACE_INVALID_OPTION for an invalid address, and for a token that would travel through a
 * network without TLS.
 */
export function addressOf({ remote, token }: SparkConnection): SparkAddress {
  const found = /^sc:\/\/([^/;?#@]+)\/?(?:;(.*))?$/.exec(remote);
  const url =
    found === null || !URL.canParse(`grpc://${found[1] as string}`)
      ? undefined
      : new URL(`grpc://${found[1] as string}`);
  if (url === undefined)
    throw wrongAddress('sc://host:15002, with parameters as in sc://host:15002/;use_ssl=true', remote);
  const parameters = new Map(
    (found?.[2] ?? '')
      .split(';')
      .filter((part) => part !== '')
      .map((part) => {
        const [name, ...value] = part.split('=');
        return [name as string, decodeURIComponent(value.join('='))];
      }),
  );
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined)
    throw wrongAddress(`an address with the parameters ${PARAMETERS.join(', ')} only`, unknown);
  const usesTls = parameters.get('use_ssl') === 'true';
  const hasToken = token !== undefined || parameters.has('token');
  if (hasToken && !usesTls && !LOOPBACK.test(url.hostname)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`remote\` to have use_ssl=true, because a token is sent to ${url.hostname}`,
    );
  }
  return {
    target: `${url.hostname}:${url.port || DEFAULT_PORT}`,
    usesTls,
    userId: parameters.get('user_id') ?? 'millrace',
    token: parameters.get('token'),
  };
}

/** Masks the tokens of a connection in everything that the run writes. */
export function hideToken(connection: SparkConnection, secrets: ConnectorContext['secrets']): void {
  const { token } = addressOf(connection);
  if (token !== undefined) secrets.add(token);
  if (typeof connection.token === 'string') secrets.add(connection.token);
}

function wrongAddress(expected: string, got: string): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`remote\` to be ${expected}, got ${describeValue(got)}`,
  );
}
