/**
 * URLs with places for fields of a record: `https://api/members/{id}?day={visit.day}`.
 *
 * Guarantees: host, port and scheme come only from the configuration. Field values are encoded, so they can neither
 * leave their path segment nor add a parameter. A missing field fails its own record only.
 */
import { MillraceError, describeValue } from '../../connect/index.js';

const PLACE = /\{([^{}]+)\}/g;

export class UrlTemplate {
  /** The name of the upstream in messages: the URL without query and credentials. */
  readonly label: string;
  readonly protocol: string;
  /** The URL with its places. It may hold credentials. */
  readonly text: string;
  private readonly hasPlaces: boolean;

  /** Throws MILLRACE_CONFIG if the URL cannot be called. `task` is for the message. */
  constructor(given: string, task: string) {
    const url = parse(given, task);
    // The parser encodes braces. They are allowed only in path and query.
    const origin = /^[a-z]+:\/\/[^/?#]*/i.exec(given)?.[0] ?? '';
    if (origin.includes('{')) {
      throw new MillraceError(
        'MILLRACE_CONFIG',
        `The URL of '${task}' has a place for a field before its path: ${given}. Records fill only path and query`,
      );
    }
    checkCredentials(url, task);
    this.protocol = url.protocol;
    this.label = `${url.protocol}//${url.host}${decodeBraces(url.pathname)}`;
    this.hasPlaces = /\{[^{}]+\}/.test(given);
    this.text = this.hasPlaces ? given : url.href;
  }

  /** The URL for this record. Throws MILLRACE_INVALID_INPUT if a field is missing or would change the path. */
  fill(record: unknown): string {
    if (!this.hasPlaces) return this.text;
    const path = /^[^?#]*/.exec(this.text)?.[0] ?? '';
    const filled =
      path.replace(PLACE, (_, field: string) => encode(record, field)) +
      this.text.slice(path.length).replace(PLACE, (_, field: string) => encode(record, field));
    const segments = (/^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(filled)?.[1] ?? '').split('/');
    // Encoding keeps dots, and a parser would resolve them against the parent folder.
    if (segments.some((segment) => segment === '.' || segment === '..')) {
      throw new MillraceError(
        'MILLRACE_INVALID_INPUT',
        `A field of the record would make the path of ${this.label} lead elsewhere: it is '.' or '..'`,
      );
    }
    return filled;
  }

  get isTemplate(): boolean {
    return this.hasPlaces;
  }
}

function parse(given: unknown, task: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(given as string);
  } catch {
    // The error below is clearer than the parser's.
  }
  if (url !== undefined && ['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol)) return url;
  throw new MillraceError(
    'MILLRACE_CONFIG',
    `Expected the URL of '${task}' to start with http://, https://, ws:// or wss://, got ${describeValue(given)}`,
  );
}

/** The message must not contain the credentials. */
function checkCredentials({ username, password }: URL, task: string): void {
  try {
    decodeURIComponent(username + password);
  } catch {
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `The user or the password in the URL of '${task}' has a % that begins no escape sequence. Write a percent sign as %25`,
    );
  }
}

function encode(record: unknown, field: string): string {
  let value = record;
  for (const step of field.split('.')) {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, step);
    value = isObject ? (value as Record<string, unknown>)[step] : undefined;
  }
  if (typeof value === 'string' ? value !== '' : ['number', 'bigint', 'boolean'].includes(typeof value)) {
    return encodeURIComponent(String(value));
  }
  throw new MillraceError(
    'MILLRACE_INVALID_INPUT',
    `Expected the field '${field}', which the URL names, to be text that is not empty, a number or a boolean, got ${describeValue(value)}`,
  );
}

function decodeBraces(path: string): string {
  return path.replace(/%7B/gi, '{').replace(/%7D/gi, '}');
}

/** Whether the URL names a WebSocket. */
export function isSocket({ protocol }: UrlTemplate): boolean {
  return protocol === 'ws:' || protocol === 'wss:';
}
