/**
 * The done set of a partition as text, for the metadata of a committed offset: which records above the offset have
 * settled.
 *
 * Format: `millrace1:` and, in base64url, the lengths of the stretches that follow the offset, alternately not done and
 * done, as variable-length integers. Offset and text are one value: the lengths count from the offset.
 *
 * Guarantees: the text is never longer than a broker accepts; if the set is too large, it contains only the beginning.
 * Then a later run repeats the records that are missing in it, and none is lost. A text that another program wrote is
 * an empty set.
 */

/** Ranges of numbers: [from, to) pairs, ascending. */
type Ranges = readonly number[];

/** Brokers accept 4,096 bytes unless `offset.metadata.max.bytes` is set. */
const MOST_BYTES = 3000;
const MARK = 'millrace1:';

/** The text for the records that are done above the offset; '' if there are none. */
export function doneText(offset: number, done: Ranges): string {
  const bytes: number[] = [];
  let at = offset;
  for (let i = 0; i + 1 < done.length; i += 2) {
    const from = Math.max(done[i] as number, offset);
    const to = done[i + 1] as number;
    if (to <= from) continue;
    const pair = [...varint(from - at), ...varint(to - from)];
    if (bytes.length + pair.length > MOST_BYTES) break;
    bytes.push(...pair);
    at = to;
  }
  return bytes.length === 0 ? '' : MARK + Buffer.from(bytes).toString('base64url');
}

/** The ranges that the text contains. */
export function doneRanges(offset: number, text: string): number[] {
  if (!text.startsWith(MARK)) return [];
  const bytes = Buffer.from(text.slice(MARK.length), 'base64url');
  const ranges: number[] = [];
  let at = offset;
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if ((byte & 0x80) !== 0) continue;
    at += value;
    ranges.push(at);
    value = 0;
    scale = 1;
  }
  // The text was cut.
  if (ranges.length % 2 === 1) ranges.pop();
  return ranges;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}
