/**
 * Finds the secrets in a configuration: values under secret names, and the credentials in URLs, headers and connection
 * strings.
 *
 * Guarantees: a found value is exactly the text that must not be shown, without the ordinary text around it; nothing in
 * the configuration is changed or called.
 */
import { isAccessName, isSecretName } from './mask-secrets.js';

const MAX_DEPTH = 12;
const MAX_VALUES = 10_000;

/** `scheme://user:password@`. */
const USER = /^[a-z][a-z0-9+.-]{0,30}:\/\/([^\s/?#]{1,1000})@/i;
/** `?name=value`. */
const PARAMETER = /[?&]([^=&\s#]{1,200})=([^&\s#]{1,4000})/g;
/** `Password=value;`, as in the connection strings of databases and queues. */
const PAIR = /(?:^|[;,\s])\s?([A-Za-z][\w .-]{0,60}?)\s?=\s?("[^"]*"|'[^']*'|[^;,\s]+)/g;
/** `authorization: value`. */
const HEADER = /^\s*([A-Za-z][\w-]{0,60})\s?:(?!\/\/)\s?(\S.*)$/s;
/** `Bearer value`. */
const SCHEME = /^\s*(?:Bearer|Basic|Token|Digest|ApiKey|Negotiate)\s+(\S.*)$/is;
/** A signed token: three parts in base64url, of which the first is an object. */
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g;

/** The members that hold the name in a pair such as `{ name: 'authorization', value: 'abc' }`. */
const NAME_KEYS = ['name', 'key', 'header', 'field'];

/** The secrets in the value, which may be nested. Each may appear several times. */
export function secretsIn(value: unknown): readonly string[] {
  const found: string[] = [];
  search(value, 0, new Set(), found);
  return found;
}

/** The secrets in one string that has no name: credentials in a URL, a header or a connection string. */
export function secretsInText(text: string): readonly string[] {
  const found: string[] = [];
  searchText(text, found);
  return found;
}

/** The secret in the value of a header or option with a secret name. */
export function secretsUnder(name: string, value: unknown): readonly string[] {
  const found: string[] = [];
  searchUnder(name, value, 0, new Set(), found);
  return found;
}

function search(value: unknown, depth: number, above: Set<object>, found: string[]): void {
  if (typeof value === 'string') {
    searchText(value, found);
    return;
  }
  if (value instanceof URL) {
    searchText(value.href, found);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= MAX_DEPTH || above.has(value) || found.length >= MAX_VALUES) return;
  above.add(value);
  const [first, second, third] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof first === 'string' && second !== undefined && third === undefined && isSecretName(first)) {
    searchUnder(first, second, depth, above, found);
  }
  for (const [name, item] of entriesOf(value)) {
    if (isSecretName(name)) searchUnder(name, item, depth, above, found);
    else search(item, depth + 1, above, found);
  }
  const named = NAME_KEYS.map((key) => own(value, key)).find((name) => typeof name === 'string' && isSecretName(name));
  if (typeof named === 'string') searchUnder(named, own(value, 'value'), depth, above, found);
  above.delete(value);
}

function searchUnder(name: string, value: unknown, depth: number, above: Set<object>, found: string[]): void {
  if (typeof value === 'string') {
    searchText(value, found);
    // `key: member_id` names a column. A key that gives access looks different, or has a name such as apiKey.
    if (isAccessName(name) || !/^[A-Za-z_.-]*$/.test(value)) found.push(value);
  } else if (typeof value === 'number' || typeof value === 'bigint') {
    // `max_tokens: 4096` and `keys: 3` are quantities.
    if (/pass|pin|otp|pw|secret/i.test(name) || String(value).length > 8) found.push(String(value));
  }
  if (typeof value === 'object' && value !== null && depth < MAX_DEPTH && !above.has(value)) {
    above.add(value);
    for (const [, item] of entriesOf(value)) searchUnder(name, item, depth + 1, above, found);
    above.delete(value);
  }
}

function searchText(text: string, found: string[]): void {
  const [, user] = USER.exec(text) ?? [];
  if (user !== undefined) {
    const at = user.indexOf(':');
    const password = at === -1 ? '' : user.slice(at + 1);
    // A user without a password is a token.
    found.push(password === '' ? user.replace(/:$/, '') : password);
    if (password !== '') found.push(user);
  }
  for (const [, name = '', value = ''] of text.matchAll(PARAMETER)) if (isSecretName(decoded(name))) found.push(value);
  for (const [, name = '', value = ''] of text.matchAll(PAIR)) {
    if (isSecretName(name)) found.push(value.replace(/^(["'])(.*)\1$/s, '$2'));
  }
  const [, header = '', content = ''] = HEADER.exec(text) ?? [];
  if (header !== '' && isSecretName(header)) {
    found.push(content);
    searchScheme(content, found);
  }
  searchScheme(text, found);
  for (const [token] of text.matchAll(TOKEN)) found.push(token);
}

function searchScheme(text: string, found: string[]): void {
  const [, credential] = SCHEME.exec(text) ?? [];
  if (credential !== undefined && !/\s/.test(credential.trim())) found.push(credential.trim());
}

function entriesOf(value: object): readonly (readonly [string, unknown])[] {
  if (value instanceof Map) return [...value].map(([key, item]) => [String(key), item] as const);
  if (value instanceof Set) return [...value].map((item, index) => [String(index), item] as const);
  return Object.keys(value).map((name) => [name, own(value, name)] as const);
}

/** The own property, or undefined if its getter throws. */
function own(value: object, name: string): unknown {
  try {
    return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
