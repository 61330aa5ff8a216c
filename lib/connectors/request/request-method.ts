/** The properties of the method of a request: an HTTP method, or a JSON-RPC method. */
import { MillraceError, describeValue } from '../../connect/index.js';
import { isSocket, type UrlTemplate } from './request-url.js';
import type { RequestOptions } from './request-options.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** Repeating a request with one of these has no further effect (RFC 9110, 9.2.2). */
const IDEMPOTENT = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'];
const WITHOUT_BODY = ['GET', 'HEAD', 'DELETE', 'OPTIONS'];

export function isHttpMethod(method: string): boolean {
  return METHODS.includes(method.toUpperCase());
}

export function isIdempotentMethod(method: string): boolean {
  return IDEMPOTENT.includes(method.toUpperCase());
}

export function allowsBody(method: string): boolean {
  return !WITHOUT_BODY.includes(method.toUpperCase());
}

/** Checks the options that depend on both the method and the URL. */
export function assertMethod(
  { method, batch }: Pick<RequestOptions<never, unknown>, 'method' | 'batch'>,
  url: UrlTemplate,
  task: string,
): void {
  if (isSocket(url)) {
    if (url.isTemplate) {
      throw new MillraceError(
        'MILLRACE_CONFIG',
        `The URL of '${task}' has places for fields of a record, but a WebSocket is one connection for all. Put them into \`body\``,
      );
    }
    if (typeof method === 'string' && method !== '') return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `'${task}' calls over WebSocket, so it needs \`method\`, the JSON-RPC method to call; got ${describeValue(method)}`,
    );
  }
  const named = method ?? 'POST';
  if (batch !== undefined && (url.isTemplate || !allowsBody(named))) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `\`batch\` of '${task}' sends several records in one body, so its URL cannot name fields of a record, nor its method be ${named}`,
    );
  }
  if (isHttpMethod(named)) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`method\` of '${task}' to be one of ${METHODS.join(', ')}, got ${describeValue(method)}`,
  );
}
