/**
 * The encodings of text files: every label of `TextDecoder`.
 *
 * Guarantees: a label has its meaning of the Encoding Standard, so `latin1` and `iso-8859-1` are windows-1252.
 * Encodings with one byte per character are decoded row by row, because their delimiters, quotes and line ends are the
 * bytes of ASCII; such files can be read from the middle. All others except UTF-8 are converted to UTF-8 while they are
 * read.
 */
import { MillraceError, describeValue, nearest } from '../../connect/values.js';

export interface TextEncoding {
  /** The name in the Encoding Standard, in lower case. */
  readonly name: string;
  /** True if the file is converted to UTF-8 before its rows are read. */
  readonly isConverted: boolean;
  /** True if the rows are UTF-8: the file is UTF-8, or it is converted. */
  readonly isUtf8: boolean;
  /** The characters of the bytes 0x80 to 0xFF; '' for a byte without a character. Only for one byte per character. */
  readonly high: readonly string[] | undefined;
  /** True if each byte is a character. Only for one byte per character. */
  readonly isTotal: boolean;
}

/** Labels of Node.js that are not in the Encoding Standard. */
const OTHER_LABELS: Readonly<Record<string, string>> = { utf16le: 'utf-16le', utf16be: 'utf-16be', binary: 'latin1' };

/** Encodings with one byte per character, by the beginnings of their names. */
const SINGLE = /^(?:windows-125\d|windows-874|iso-8859-|koi8-|macintosh|x-mac-|ibm866)/;

const known = new Map<string, TextEncoding>();

/** The encoding with this label; undefined if this Node.js knows none. */
export function encodingOf(label: string): TextEncoding | undefined {
  const found = known.get(label);
  if (found !== undefined) return found;
  const name = nameOf(OTHER_LABELS[label.toLowerCase()] ?? label);
  if (name === undefined) return undefined;
  const isSingle = SINGLE.test(name);
  const isConverted = !isSingle && name !== 'utf-8';
  const high = isSingle ? highOf(name) : undefined;
  const encoding = { name, isConverted, isUtf8: !isSingle, high, isTotal: high?.includes('') === false };
  known.set(label, encoding);
  return encoding;
}

/** Labels for the suggestion after a label that does not exist. */
const LABELS = ['utf8', 'utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1252', 'iso-8859-15', 'shift_jis', 'gbk'];

/**
 * The encoding with this label. Throws MILLRACE_INVALID_OPTION for an unknown one. `of` is the file, for the message.
 */
export function checkEncoding(of: string, label: unknown = 'utf8'): TextEncoding {
  const encoding = typeof label === 'string' ? encodingOf(label) : undefined;
  if (encoding !== undefined) return encoding;
  const near = typeof label === 'string' ? nearest(label, LABELS) : undefined;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`encoding\` of ${of} to be a label of TextDecoder such as 'utf8', 'utf-16le' or 'windows-1252', ` +
      `got ${describeValue(label)}${near === undefined ? '' : `. Did you mean '${near}'?`}`,
  );
}

/** The text of bytes in an encoding whose rows are decoded one by one. Bytes without a character become U+FFFD. */
export function decode(bytes: Buffer, { high, name }: TextEncoding, start = 0, end = bytes.length): string {
  if (high === undefined) return bytes.toString('utf8', start, end);
  const text = bytes.toString('latin1', start, end);
  // ISO 8859-1 and windows-1252 differ only in these bytes.
  const others = name === 'windows-1252' ? /[\x80-\x9f]/g : /[\x80-\xff]/g;
  if (text.search(others) < 0) return text;
  return text.replace(others, (char) => high[char.charCodeAt(0) - 0x80] || '\uFFFD');
}

function nameOf(label: string): string | undefined {
  try {
    return new TextDecoder(label).encoding.toLowerCase();
  } catch {
    return undefined;
  }
}

function highOf(name: string): readonly string[] {
  const decoder = new TextDecoder(name, { fatal: true });
  return Array.from({ length: 128 }, (_, i) => {
    // Some versions of Node.js decode windows-1252 as ISO 8859-1 (nodejs/node#56542).
    if (name === 'windows-1252') return WINDOWS_1252[i] ?? String.fromCharCode(0x80 + i);
    try {
      return decoder.decode(Uint8Array.of(0x80 + i));
    } catch {
      return '';
    }
  });
}

/** The bytes 0x80 to 0x9F. Five of them are control characters, as in the Encoding Standard. */
const WINDOWS_1252 = Array.from('€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ');
