/**
 * How connections to an upstream are made: directly, through a proxy or over a unix socket, and with which
 * certificates.
 *
 * Guarantees: everything is read and checked before the first connection. Messages contain neither keys nor the user
 * and password of a proxy.
 */
import { readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { MillraceError, describeThrown } from '../../connect/index.js';
import type { ConnectionOptions, Pem } from './http-defaults.js';

export interface TlsSettings {
  readonly ca?: (string | Buffer)[];
  readonly cert?: (string | Buffer)[];
  readonly key?: (string | Buffer)[];
}

export interface Connection {
  /** Undefined: the defaults of Node. */
  readonly tls: TlsSettings | undefined;
  readonly socketPath: string | undefined;
  /**
   * The proxy for a URL; undefined: the connection is direct. Undefined as a whole if there is no proxy for any URL.
   */
  readonly proxyFor: ((url: URL) => URL | undefined) | undefined;
}

/**
 * Reads certificates and keys, and the environment variables of proxies. Rejects with MILLRACE_CONFIG if one of them
 * cannot be read or used.
 * @param owner for messages: `'Predict'` or `an undiciAdapter`.
 */
export async function openConnection(
  { proxy, ca, cert, key, socketPath }: ConnectionOptions,
  owner: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Connection> {
  const read = async (name: string, given: ConnectionOptions['ca']): Promise<(string | Buffer)[] | undefined> =>
    given === undefined
      ? undefined
      : Promise.all([given].flat().map((pem: Pem) => readPem(pem, `\`${name}\` of ${owner}`, name === 'key')));
  const parts = { ca: await read('ca', ca), cert: await read('cert', cert), key: await read('key', key) };
  const given = Object.fromEntries(Object.entries(parts).filter(([, pem]) => pem !== undefined)) as TlsSettings;
  const tls = Object.keys(given).length === 0 ? undefined : given;
  if (tls !== undefined) checkTls(tls, owner);
  if (socketPath !== undefined || proxy === false) return { tls, socketPath, proxyFor: undefined };
  if (proxy !== undefined) {
    const url = proxyUrl(proxy, `\`proxy\` of ${owner}`);
    return { tls, socketPath, proxyFor: () => url };
  }
  return { tls, socketPath, proxyFor: proxyFromEnvironment(environment) };
}

/** The URLs of the proxies that the options or the environment name. Their credentials are secrets. */
export function proxiesIn(
  { proxy }: Pick<ConnectionOptions, 'proxy'>,
  environment: NodeJS.ProcessEnv = process.env,
): readonly string[] {
  if (proxy === false) return [];
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  const given = proxy === undefined ? names.map((name) => environment[name]?.trim() ?? '') : [proxy];
  return given.filter((text) => text !== '').map(withScheme);
}

async function readPem(pem: Pem, what: string, isSecret: boolean): Promise<string | Buffer> {
  if (typeof pem !== 'string') return Buffer.from(pem);
  // Environment variables often hold a PEM text with escaped line ends.
  if (pem.includes('-----BEGIN')) return pem.includes('\n') ? pem : pem.replaceAll('\\n', '\n');
  try {
    return await readFile(pem);
  } catch (error) {
    // It may be the text of a key that lacks its first line.
    const isPath = !isSecret && pem.length < 300 && !pem.includes('\n');
    const got = isPath ? `${JSON.stringify(pem)}: ${describeThrown(error)}` : `text of ${pem.length} characters`;
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `Expected ${what} to be PEM text that contains '-----BEGIN', or the path of a PEM file, got ${got}`,
      isSecret ? {} : { cause: error },
    );
  }
}

function checkTls(tls: TlsSettings, owner: string): void {
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `The ${Object.keys(tls)
        .map((name) => `\`${name}\``)
        .join(
          ', ',
        )} of ${owner} cannot be used: ${describeThrown(error)}. Check that each is PEM, and that the key is the one of the certificate and has no passphrase`,
      { cause: error },
    );
  }
}

/** As in curl, `host:port` means http:. */
function withScheme(proxy: string): string {
  return /^[a-z][a-z\d+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

/** Parses the URL of a proxy. */
function proxyUrl(given: string, what: string): URL {
  const text = withScheme(given);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:') && canDecode(url)) return url;
  const got =
    url === undefined
      ? 'something else'
      : url.protocol === 'http:' || url.protocol === 'https:'
        ? 'a user or password with a bare %, which is written %25'
        : `${url.protocol}//`;
  throw new MillraceError(
    'MILLRACE_CONFIG',
    `Expected ${what} to be the URL of an HTTP proxy, such as http://proxy.example:3128, with a user and a password before the host if it needs them, got ${got}`,
  );
}

function canDecode({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** The value of Proxy-Authorization, if the URL of the proxy has credentials. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The error with the address of the proxy and what to change, if the proxy could not be reached; else the error. */
export function unreachableProxy(error: Error, { host }: URL): Error {
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== 'string' || !NOT_CONNECTED.has(code)) return error;
  const message = `the proxy ${host} cannot be reached: ${error.message}. Check \`proxy\`, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY`;
  return Object.assign(new Error(message, { cause: error }), { code });
}

/** HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl reads them. The name in lower case has precedence. */
export function proxyFromEnvironment(environment: NodeJS.ProcessEnv): Connection['proxyFor'] {
  const proxyOf = (name: string): URL | undefined => {
    const small = environment[name.toLowerCase()] ?? '';
    const value = (small === '' ? (environment[name] ?? '') : small).trim();
    return value === '' ? undefined : proxyUrl(value, `the environment variable ${name}`);
  };
  const others = proxyOf('ALL_PROXY');
  const plain = proxyOf('HTTP_PROXY') ?? others;
  const secure = proxyOf('HTTPS_PROXY') ?? others;
  if (plain === undefined && secure === undefined) return undefined;
  const small = environment['no_proxy'] ?? '';
  const isExempt = exemptions(small === '' ? (environment['NO_PROXY'] ?? '') : small);
  return (url) => {
    const isSecure = url.protocol === 'https:' || url.protocol === 'wss:';
    return isExempt(url) ? undefined : isSecure ? secure : plain;
  };
}

/**
 * Items are hosts with their subdomains, addresses, networks such as 10.0.0.0/8, or `*`; each but `*` may have a port.
 */
function exemptions(list: string): (url: URL) => boolean {
  const items = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((item) => item !== '');
  const networks = new BlockList();
  const hosts: { readonly name: string; readonly port: string | undefined }[] = [];
  for (const item of items) {
    const [, address = '', bits = ''] = /^(.+)\/(\d{1,3})$/.exec(item) ?? [];
    const family = isIP(address);
    if (family !== 0 && Number(bits) <= (family === 4 ? 32 : 128)) {
      networks.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
      continue;
    }
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+|[^:]*:[^:]*:.*))(?::(\d+))?$/.exec(item) ?? [];
    hosts.push({ name: (bracketed ?? plain ?? item).replace(/^\*?\./, ''), port });
  }
  return (url) => {
    const host = url.hostname.toLowerCase().replace(/^\[|\]$|\.$/g, '');
    const port = url.port === '' ? (/^(?:https|wss):$/.test(url.protocol) ? '443' : '80') : url.port;
    const family = isIP(host);
    if (family !== 0 && networks.check(host, family === 4 ? 'ipv4' : 'ipv6')) return true;
    return hosts.some(
      (item) =>
        (item.port === undefined || item.port === port) &&
        (item.name === '*' || item.name === host || (family === 0 && host.endsWith(`.${item.name}`))),
    );
  };
}
