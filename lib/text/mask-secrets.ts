/**
 * Configurations for display: secrets are masked by their names and places, and only JSON values remain. `Secrets`
 * masks them by their values.
 *
 * Guarantees: the value of a name like password, token, secret, key, authorization, credential or cookie never appears,
 * not even in a list of headers. The credentials of a URL or a connection string never appear either. The result is
 * plain data of bounded depth and size.
 */

const MASK = '***';
const MAX_DEPTH = 12;
const MAX_ITEMS = 1000;
const MAX_TEXT = 10_000;

/**
 * A name is secret because of its last word, or because of one of these words in it: `apiKey`, `API_KEY`, `key`,
 * `authToken`; not `monkey`.
 */
const SECRET_WORD =
  /^(password|passwd|pwd|pass|pw|passphrase|passcode|pin|otp|jwt|dsn|sas|sig|signature|token|secret|key|apikey|authorization|auth|credential|cred|cookie|bearer)s?$/;
const SECRET_END = /(password|passwd|passphrase|token|secret|apikey|authorization|credential)s?$/;

/** Names of several words. */
const SECRET_WORDS = /(api|access|private|secret|account|signing|encryption|shared)key|connectionstring|connstr/;

/** `Authorization: Bearer abc`, `x-api-key=abc`, `"cookie":"a=b"`. */
const HEADER = /((?<![\w-])([A-Za-z][\w-]*)["']?\s*[:=]\s*["']?)(?:(?:Bearer|Basic)\s+)?[^\s"',;]+/g;

/** `Password=abc;`, as in connection strings. */
const PAIR = /((?<![\w?&-])([A-Za-z][\w-]{0,60})=)("[^"]*"|'[^']*'|(?!…)[^;,\s&"']+)/g;
const CREDENTIAL_HEADER =
  /((?<![\w-])(?:proxy-authorization|authorization|x-api-key|api-key|set-cookie|cookie)["']?\s{0,9}:\s{0,9}["']?)(?:(?:Bearer|Basic|Token)\s{1,9})?[^\s"',]+/gi;
const BEARER = /((?<![\w-])(?:Bearer|Basic)\s{1,9})[\w.~+/=-]{8,}/g;

/** A copy of the value in which secrets are masked, with bounded depth and size. */
export function maskSecrets(value: unknown): unknown {
  return plain(value, 0, new Set());
}

/** Whether the value of this name is a secret. */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.toLowerCase());
  if (words.some((word) => SECRET_END.test(word)) || SECRET_WORD.test(words.at(-1) ?? '')) return true;
  return SECRET_WORDS.test(words.join(''));
}

/** Whether the value of this secret name surely gives access. The value of `key` may also be the name of a column. */
export function isAccessName(name: string): boolean {
  return !/keys?$/i.test(name) || SECRET_WORDS.test(name.toLowerCase().replace(/[^a-z]/g, ''));
}

/** Masks credentials within a text, such as an error message: those in URLs and in header values. */
export function maskText(text: string): string {
  return maskUrls(text).replace(HEADER, (whole, head: string, name: string) =>
    isSecretName(name) ? `${head}${MASK}` : whole,
  );
}

/**
 * Masks the credentials that a message quotes: those in URLs and connection strings, and the values of headers such as
 * authorization. Unlike `maskText`, it leaves `key: value`.
 */
export function maskCredentials(text: string): string {
  return maskUrls(text)
    .replace(PAIR, (whole, head: string, name: string) => (isSecretName(name) ? `${head}${MASK}` : whole))
    .replace(CREDENTIAL_HEADER, `$1${MASK}`)
    .replace(BEARER, `$1${MASK}`);
}

function plain(value: unknown, depth: number, above: Set<object>): unknown {
  switch (typeof value) {
    case 'string':
      return maskCredentials(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return `${value}n`;
    case 'object':
      return value === null ? null : plainObject(value, depth, above);
    default:
      // Functions and symbols cannot be shown as configuration values.
      return value === undefined ? undefined : `(${typeof value})`;
  }
}

function plainObject(value: object, depth: number, above: Set<object>): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL) return maskCredentials(value.href);
  if (depth >= MAX_DEPTH || above.has(value)) return '(…)';
  above.add(value);
  const entries = value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : undefined;
  const shown =
    Array.isArray(value) || value instanceof Set
      ? plainList([...(value as Iterable<unknown>)].slice(0, MAX_ITEMS), depth, above)
      : Object.fromEntries(
          (entries ?? Object.entries(value))
            .slice(0, MAX_ITEMS)
            .map(([name, item]) => [
              name,
              (isSecretName(name) || (name === 'value' && isNamedSecret(value))) &&
              item !== undefined &&
              item !== null &&
              typeof item !== 'boolean'
                ? MASK
                : plain(item, depth + 1, above),
            ]),
        );
  above.delete(value);
  return shown;
}

/** Masks a list. In a pair such as `['authorization', 'abc']`, the second item is masked. */
function plainList(items: readonly unknown[], depth: number, above: Set<object>): unknown {
  const [name, value, more] = items;
  if (typeof name === 'string' && isSecretName(name) && typeof value === 'string' && more === undefined) {
    return [name, MASK];
  }
  return items.map((item) => plain(item, depth + 1, above) ?? null);
}

/** True for `{ name: 'authorization', value: 'abc' }`. */
function isNamedSecret(value: object): boolean {
  const { name, key, header, field } = value as Partial<Record<'name' | 'key' | 'header' | 'field', unknown>>;
  return [name, key, header, field].some((one) => typeof one === 'string' && isSecretName(one));
}

/** `https://user:password@host` and `?token=…`. */
function maskUrls(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#]{1,1000}@/gi, `$1${MASK}@`)
    .replace(/([?&]([^=&\s#]{1,200})=)[^&\s#]+/g, (whole, head: string, name: string) =>
      isSecretName(name) ? `${head}${MASK}` : whole,
    );
}
