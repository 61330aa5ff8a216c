/** Defaults and rules that the options of a request share with the undici adapter. */
import { MillraceError, describeValue, text, type OptionRule, type OptionRules } from '../../connect/index.js';

/** Headers that never cross origins. */
export const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key'];

export const DEFAULT_MAX_RESPONSE_BYTES = 10 * 1024 * 1024;

/** An array of header names. */
export const headerNames: OptionRule = {
  expected: 'names of headers',
  accepts: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name)),
};

/** A certificate or a key: PEM text, its bytes, or the path of a PEM file. */
export type Pem = string | Uint8Array;

/** How connections are made, over HTTP and over WebSocket. Files are read, and PEM is checked, when the run opens. */
export interface ConnectionOptions {
  /**
   * The URL of an HTTP proxy for every connection; false connects directly. Default: the proxy that the environment
   * variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. The URL may have a user and a password.
   */
  readonly proxy?: string | false;
  /** The authorities whose certificates are trusted, in place of those that Node knows. */
  readonly ca?: Pem | readonly Pem[];
  /** The certificate that this side presents, with its chain (mutual TLS). Needs `key`. */
  readonly cert?: Pem | readonly Pem[];
  /** The private key of `cert`, without a passphrase. */
  readonly key?: Pem | readonly Pem[];
  /** The path of a unix socket, or a named pipe, to connect to in place of the host of the URL. */
  readonly socketPath?: string;
}

const aPem: OptionRule = {
  expected: 'PEM text, bytes, the path of a PEM file, or an array of these',
  accepts: (value) => {
    const items = Array.isArray(value) ? (value as unknown[]) : [value];
    return (
      items.length > 0 && items.every((item) => (typeof item === 'string' ? item !== '' : item instanceof Uint8Array))
    );
  },
};

export const CONNECTION_RULES: OptionRules<ConnectionOptions> = {
  proxy: { expected: 'the URL of a proxy, or false', accepts: (value) => value === false || text.accepts(value) },
  ca: aPem,
  cert: aPem,
  key: aPem,
  socketPath: text,
};

/** Refuses options that contradict each other. */
export function checkConnection(of: string, { proxy, cert, key, socketPath }: ConnectionOptions): void {
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `\`${given}\` of ${of} needs \`${missing}\`: a client certificate and its private key. Add it`,
    );
  }
  if (socketPath === undefined || proxy === undefined || proxy === false) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `\`socketPath\` and \`proxy\` of ${of} exclude each other. Leave one of them out`,
  );
}

/** Headers with names and values that HTTP can carry. A message never contains a value, which may be a secret. */
export function checkHeaders(of: string, headers: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(headers)) {
    const problem = /^[\w!#$%&'*+.^`|~-]+$/.test(name) ? problemOf(value) : 'is no name of a header';
    if (problem === undefined) continue;
    const what = problem.startsWith('is no') ? describeValue(name) : `the header '${name}'`;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`headers\` of ${of} to be headers that HTTP can carry, but ${what} ${problem}`,
    );
  }
}

/** Control characters end a header; characters outside of Latin-1 have no encoding. */
const UNSENDABLE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

function problemOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return undefined;
  if (typeof value !== 'string')
    return `is ${value === undefined || value === null ? String(value) : `a value of type ${typeof value}`}. Give it text, or leave it out`;
  const at = value.search(UNSENDABLE);
  if (at < 0) return undefined;
  const isLineBreak = value[at] === '\n' || value[at] === '\r';
  const code = `U+${(value.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  const where = `at position ${at + 1} of ${value.length}`;
  return isLineBreak
    ? `has a line break ${where}. Secrets that are read from a file often end with one: call .trim()`
    : `has the character ${code} ${where}, which no header can carry. Replace it`;
}
