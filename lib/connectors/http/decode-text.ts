/**
 * The text of an answer.
 *
 * Guarantees: a byte order mark has precedence over the charset of the content type, and the charset over the option
 * `responseEncoding`, as in the Encoding standard. Bytes that are not text in the encoding are refused, never replaced
 * silently.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { UpstreamError, describeValue } from '../../connect/index.js';

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;
const REPLACEMENT = '\ufffd';

/** @param fallback the label of the encoding, for TextDecoder, if the answer names none. Default UTF-8. */
export function decodeText(body: Buffer, headers: IncomingHttpHeaders, fallback: string | undefined): string {
  if (body.length === 0) return '';
  const label = markedEncoding(body) ?? charsetOf(headers['content-type']) ?? fallback;
  if (label !== undefined && !/^utf-?8$/i.test(label)) return decodeAs(label, body);
  const text = body.toString('utf8');
  // The search is quick in text of ASCII and Latin-1. The bytes decide, because the upstream may have sent U+FFFD
  // itself.
  if (text.includes(REPLACEMENT) && !isUtf8(body)) {
    throw unreadable(
      `it is not valid UTF-8. If the upstream sends another encoding, it must name it in its content type, or set \`responseEncoding\`, for example to 'windows-1252'`,
    );
  }
  // A byte order mark is not part of the text, and JSON.parse rejects it.
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function markedEncoding(body: Buffer): string | undefined {
  if (body[0] === 0xfe && body[1] === 0xff) return 'utf-16be';
  if (body[0] === 0xff && body[1] === 0xfe) return 'utf-16le';
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 'utf-8' : undefined;
}

function charsetOf(contentType: string | undefined): string | undefined {
  return contentType?.includes('=') === true ? CHARSET.exec(contentType)?.[1] : undefined;
}

function decodeAs(label: string, body: Buffer): string {
  const decoder = decoderOf(label);
  try {
    // Some versions of Node decode windows-1252 as ISO 8859-1, but not in streams (nodejs/node#56542).
    return decoder.decode(body, { stream: true }) + decoder.decode();
  } catch {
    throw unreadable(`it is not valid ${decoder.encoding}, which it claims to be`);
  }
}

function decoderOf(label: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(label, { fatal: true });
  } catch {
    throw unreadable(`its charset ${describeValue(label)} is not known`);
  }
}

function unreadable(why: string): UpstreamError {
  return new UpstreamError('MILLRACE_BAD_RESPONSE', `The answer cannot be read as text: ${why}`, { blame: 'record' });
}
