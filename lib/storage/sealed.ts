/**
 * Seals the JSON that millrace keeps with a checksum: whole files by their last member `checksum`, lines by their last
 * member `crc`.
 *
 * Guarantees: a sealed text stays JSON that other programs can read; a change of any byte is detected.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The number of hexadecimal digits of the checksum of a file: 64 bits of SHA-256. */
const SUM_DIGITS = 16;
const CRC_DIGITS = 8;
const LINE_END = /,"crc":"([0-9a-f]{8})"\}$/;
const LINE_END_CHARS = ',"crc":""}'.length + CRC_DIGITS;

/** A sealed text that was read: its state and its value. */
export type Sealed = { readonly state: 'whole' | 'damaged' | 'unsealed'; readonly value: unknown };

/** The value as the text of a sealed file. It must be an object with at least one member. `indent` is 0 or 2 blanks. */
export function seal(value: object, indent: 0 | 2 = 0): string {
  const text = JSON.stringify(value, null, indent);
  const body = text.slice(0, indent === 0 ? -1 : -2);
  return `${body}${tailOf(body, indent)}`;
}

/**
 * The value of a sealed file, without its checksum. 'damaged': the checksum is not that of the content; 'unsealed':
 * there is no checksum. Throws the error of `JSON.parse` for bytes that are not JSON.
 */
export function unseal(bytes: Buffer): Sealed {
  const text = bytes.toString('utf8');
  const found = JSON.parse(text) as unknown;
  if (typeof found !== 'object' || found === null || !Object.hasOwn(found, 'checksum')) {
    return { state: 'unsealed', value: found };
  }
  const { checksum: _, ...value } = found as Record<string, unknown>;
  const isWhole = ([0, 2] as const).some((indent) => {
    const body = text.slice(0, -tailOf('', indent).length);
    return `${body}${tailOf(body, indent)}` === text;
  });
  // Bytes that are not UTF-8 are decoded to the same replacement character.
  return { state: isWhole && Buffer.from(text).equals(bytes) ? 'whole' : 'damaged', value };
}

/** Adds the checksum to one line of JSON: an object with at least one member, with or without a final line feed. */
export function sealLine(line: string): string {
  const body = line.trimEnd().slice(0, -1);
  return `${body}${lineEndOf(body)}\n`;
}

/** The line without its checksum, and its state. */
export function unsealLine(line: string): { readonly state: Sealed['state']; readonly text: string } {
  if (!LINE_END.test(line)) return { state: 'unsealed', text: line };
  const body = line.slice(0, -LINE_END_CHARS);
  return { state: line === `${body}${lineEndOf(body)}` ? 'whole' : 'damaged', text: `${body}}` };
}

function tailOf(body: string, indent: 0 | 2): string {
  const sum = createHash('sha256').update(body).digest('hex').slice(0, SUM_DIGITS);
  return indent === 0 ? `,"checksum":"${sum}"}\n` : `,\n  "checksum": "${sum}"\n}\n`;
}

function lineEndOf(body: string): string {
  return `,"crc":"${crc32(body).toString(16).padStart(CRC_DIGITS, '0')}"}`;
}
