/**
 * Where records begin and end: the same however the bytes are cut, and the same as a scanner so simple that it can be
 * seen to be right.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RecordScanner, type RecordSpan } from '#lib/connectors/csv/record-boundaries.js';

function scanWhole(text: string, cuts: readonly number[] = []): RecordSpan[] {
  const bytes = Buffer.from(text);
  const scanner = new RecordScanner();
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const spans: RecordSpan[] = [];
  let from = 0;
  for (const to of [...places, bytes.length]) {
    spans.push(...scanner.scan(bytes.subarray(from, to)));
    from = to;
  }
  const last = scanner.finish();
  return last === undefined ? spans : [...spans, last];
}

const textsOf = (text: string, spans: readonly RecordSpan[]): string[] =>
  spans.map((span) => Buffer.from(text).subarray(span.start, span.textEnd).toString());

/** The text with a mark for every byte that is within quotes, by the rules of the scanner, one character at a time. */
function simplyCut(text: string): { line: number; text: string }[] {
  const records: { line: number; text: string }[] = [];
  let line = 1;
  let startLine = 1;
  let record = '';
  let field: 'start' | 'bare' | 'quoted' | 'closed' = 'start';
  const end = (): void => {
    if (record !== '') records.push({ line: startLine, text: record });
    record = '';
    field = 'start';
  };
  for (let i = 0; i < text.length; i++) {
    const two = text.slice(i, i + 2);
    const char = two === '\r\n' ? two : (text[i] as string);
    if (char === '\r\n') i++;
    const isLineEnd = char === '\r\n' || char === '\n' || char === '\r';
    if (isLineEnd) line++;
    if (field !== 'quoted' && isLineEnd) {
      end();
      startLine = line;
      continue;
    }
    record += char;
    if (field === 'quoted') {
      if (char !== '"') continue;
      if (text[i + 1] === '"') {
        record += '"';
        i++;
      } else field = 'closed';
    } else if (char === ',') field = 'start';
    else if (char === '"' && field === 'start') field = 'quoted';
    else if (char !== ' ' && char !== '\t') field = 'bare';
    else if (field === 'start' || field === 'closed') continue;
  }
  end();
  return records;
}

const csvText = fc
  .array(fc.constantFrom('a', 'b', ',', ',', '"', '"', '""', '\n', '\r', '\r\n', ' ', '\t', 'é', '€', '😀'), {
    maxLength: 60,
  })
  .map((parts) => parts.join(''));

describe('record boundaries', () => {
  it('are the same under any chunking', () => {
    fc.assert(
      fc.property(csvText, fc.array(fc.nat(200), { maxLength: 20 }), (text, cuts) => {
        expect(scanWhole(text, cuts)).toEqual(scanWhole(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('are the same when every byte comes alone', () => {
    fc.assert(
      fc.property(csvText, (text) => {
        const everywhere = Array.from({ length: Buffer.byteLength(text) }, (_, i) => i);
        expect(scanWhole(text, everywhere)).toEqual(scanWhole(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('are where a scanner of one character at a time finds them, on the same lines', () => {
    fc.assert(
      fc.property(csvText, (text) => {
        const spans = scanWhole(text);
        const found = spans.map((span, i) => ({ line: span.line, text: textsOf(text, spans)[i] }));
        expect(found).toEqual(simplyCut(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('leave nothing but line ends between records', () => {
    fc.assert(
      fc.property(csvText, (text) => {
        const bytes = Buffer.from(text);
        let at = 0;
        for (const span of scanWhole(text)) {
          expect(bytes.subarray(at, span.start).toString()).toMatch(/^[\r\n]*$/);
          expect(bytes.subarray(span.textEnd, span.end).toString()).toMatch(/^(\r\n|\n|\r)?$/);
          at = span.end;
        }
        expect(bytes.subarray(at).toString()).toMatch(/^[\r\n]*$/);
      }),
      { numRuns: 1000 },
    );
  });

  it('do not lie within quotes, and lines go on behind a quoted line end', () => {
    const text = 'a,"1\n2\r\n3\r4"\nb\n';
    const spans = scanWhole(text);
    expect(textsOf(text, spans)).toEqual(['a,"1\n2\r\n3\r4"', 'b']);
    expect(spans.map((span) => span.line)).toEqual([1, 5]);
  });

  it('count the fields outside of quotes', () => {
    expect(scanWhole('a,b\n"a,b",c,\n,\nx\n').map((span) => span.fields)).toEqual([2, 3, 2, 1]);
  });

  it('report the first fault of the quotes of a record, with its field and line', () => {
    expect(scanWhole('a,b"c\n"a"b,c\n"a"").."\n').map((span) => span.fault)).toEqual([
      { kind: 'bare quote', field: 2, line: 1 },
      { kind: 'text after quote', field: 1, line: 2 },
      undefined,
    ]);
    expect(scanWhole('a\n\nb,"c\n\n').map((span) => span.fault)).toEqual([
      undefined,
      { kind: 'unclosed quote', field: 2, line: 3 },
    ]);
  });

  it('go on from an offset and a line, so that a part of a file can be scanned alone', () => {
    const text = 'a\n"b\nc"\n\nd\r\ne';
    const whole = scanWhole(text);
    const bytes = Buffer.from(text);
    for (const span of whole) {
      const scanner = new RecordScanner({ offset: span.start, line: span.line });
      const rest = scanner.scan(bytes.subarray(span.start));
      const last = scanner.finish();
      expect(last === undefined ? rest : [...rest, last]).toEqual(whole.slice(whole.indexOf(span)));
    }
  });
});
