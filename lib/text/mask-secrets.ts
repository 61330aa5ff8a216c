/**
 * Configurations for display: secrets are masked, and only JSON values remain.
 *
 * Guarantees: the value of a name like password, token, secret, key, authorization, credential or cookie never appears, nor
 * do the user and password of a URL. The result is plain data of bounded depth and size.
 */

const MASK = '***';
const MAX_DEPTH = 12;
const MAX_ITEMS = 1000;
const MAX_TEXT = 10_000;

/** A name is secret by its last word, or by one of these words in it: `apiKey`, `API_KEY`, `key`, `authToken`; not `monkey`. */
const SECRET_WORD =
  /^(password|passwd|pwd|passphrase|token|secret|key|apikey|authorization|auth|credential|cookie|bearer)s?$/;
const SECRET_END = /(password|passwd|passphrase|token|secret|apikey|authorization|credential)s?$/;

/** `Authorization: Bearer abc`, `x-api-key=abc`, `"cookie":"a=b"`. */
const HEADER = /((?<![\w-])([A-Za-z][\w-]*)["']?\s*[:=]\s*["']?)(?:(?:Bearer|Basic)\s+)?[^\s"',;]+/g;

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
  return words.some((word) => SECRET_END.test(word)) || SECRET_WORD.test(words.at(-1) ?? '');
}

/** Masks credentials within a text, such as an error message: those in URLs and in header values. */
export function maskText(text: string): string {
  return maskUrls(text).replace(HEADER, (whole, head: string, name: string) =>
    isSecretName(name) ? `${head}${MASK}` : whole,
  );
}

function plain(value: unknown, depth: number, above: Set<object>): unknown {
  switch (typeof value) {
    case 'string':
      return maskUrls(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value);
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
  if (value instanceof URL) return maskUrls(value.href);
  if (depth >= MAX_DEPTH || above.has(value)) return '(…)';
  above.add(value);
  const entries = value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : undefined;
  const shown =
    Array.isArray(value) || value instanceof Set
      ? [...(value as Iterable<unknown>)].slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1, above) ?? null)
      : Object.fromEntries(
          (entries ?? Object.entries(value))
            .slice(0, MAX_ITEMS)
            .map(([name, item]) => [
              name,
              isSecretName(name) && item !== undefined && item !== null && typeof item !== 'boolean'
                ? MASK
                : plain(item, depth + 1, above),
            ]),
        );
  above.delete(value);
  return shown;
}

/** `https://user:password@host` and `?token=…`. */
function maskUrls(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]+@/gi, `$1${MASK}@`)
    .replace(/([?&]([^=&\s#]+)=)[^&\s#]+/g, (whole, head: string, name: string) =>
      isSecretName(name) ? `${head}${MASK}` : whole,
    );
}
