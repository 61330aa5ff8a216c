/**
 * Decompresses answers.
 *
 * Guarantees: the output never exceeds the limit, so a small body that inflates to gigabytes costs at most the limit.
 * An answer that does not match its content-encoding is refused as unreadable.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, type InputType, type ZlibOptions } from 'node:zlib';
import { UpstreamError, describeThrown } from '../../connect/index.js';
import { tooLarge } from './receive.js';

type Unpacker = (packed: InputType, options: ZlibOptions) => Promise<Buffer>;

const inflateZlib = promisify<InputType, ZlibOptions, Buffer>(inflate);
const inflateBare = promisify<InputType, ZlibOptions, Buffer>(inflateRaw);

/** RFC 1950, 2.2. Many servers send `deflate` without this header, and clients accept that. */
function hasZlibHeader(packed: Buffer): boolean {
  const [method = 0, flags = 0] = packed;
  return (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;
}

const UNPACKERS: Readonly<Record<string, Unpacker>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: (packed, options) => (hasZlibHeader(packed as Buffer) ? inflateZlib : inflateBare)(packed, options),
  br: promisify(brotliDecompress),
};

/** Servers nest at most two encodings. Many more would be an attack. */
const MAX_ENCODINGS = 3;

export async function unpack(body: Buffer, headers: IncomingHttpHeaders, maxBytes: number): Promise<Buffer> {
  const given = headers['content-encoding'];
  if (given === undefined || body.length === 0) return body;
  const encodings = given
    .split(',')
    .map((encoding) => encoding.trim().toLowerCase())
    .filter((encoding) => encoding !== '' && encoding !== 'identity');
  if (encodings.length > MAX_ENCODINGS) throw unreadable(`it is compressed ${encodings.length} times`);
  let unpacked = body;
  for (const encoding of encodings.reverse()) {
    const unpacker = UNPACKERS[encoding];
    if (unpacker === undefined) throw unreadable(`the encoding '${encoding}' is not supported`);
    try {
      unpacked = await unpacker(unpacked, { maxOutputLength: maxBytes });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes + 1, maxBytes);
      throw unreadable(describeThrown(error), error);
    }
  }
  return unpacked;
}

function unreadable(why: string, cause?: unknown): UpstreamError {
  return new UpstreamError('MILLRACE_BAD_RESPONSE', `The answer cannot be decompressed: ${why}`, {
    cause,
    blame: 'record',
    retryable: true,
  });
}
