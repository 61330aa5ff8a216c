/**
 * The format of the rows of a CSV file: its delimiter, its quotes, and the deviations that are accepted.
 *
 * Guarantees: `splitRow` splits a row as the scanner counted its fields (record-boundaries). It loses no character
 * except the quotes and escapes around and within a field, and with `trim` the blanks around it.
 */

export interface CsvDialect {
  /** One ASCII character. */
  readonly delimiter: string;
  /** One ASCII character; undefined if quotes are ordinary characters. */
  readonly quote: string | undefined;
  /** The character before a quote within a quoted field. The doubled quote is always understood as well. */
  readonly escape: string | undefined;
  /** The beginning of lines that are comments. */
  readonly comment: string | undefined;
  /** Whether blanks around fields are removed. */
  readonly trim: boolean;
  /** Whether a field with wrong quotes is accepted as it is. */
  readonly relaxQuotes: boolean;
}

export const DEFAULT_DIALECT: CsvDialect = {
  delimiter: ',',
  quote: '"',
  escape: undefined,
  comment: undefined,
  trim: false,
  relaxQuotes: false,
};

/** Whether rows with quotes have only the quotes of RFC 4180, so that fast-csv reads them. */
export function isStandard({ quote, escape, trim, relaxQuotes }: CsvDialect): boolean {
  return quote === '"' && escape === undefined && !trim && !relaxQuotes;
}

/** The fields of a row without quotes. */
export function splitBare(text: string, { delimiter, trim }: CsvDialect): string[] {
  const fields = text.split(delimiter);
  return trim ? fields.map(trimmed) : fields;
}

/** The fields of a row, with or without quotes. The row has no fault. */
export function splitRow(text: string, dialect: CsvDialect): string[] {
  const { delimiter, quote, trim } = dialect;
  const fields: string[] = [];
  for (let from = 0; ;) {
    let start = from;
    if (trim) while (isBlank(text, start, delimiter)) start++;
    const quoted = quote !== undefined && text[start] === quote ? quotedField(text, start, dialect) : undefined;
    if (quoted !== undefined) {
      fields.push(quoted.value);
      if (quoted.end === text.length) return fields;
      from = quoted.end + 1;
      continue;
    }
    // A field with wrong quotes ends at the first delimiter after its closing quote.
    const behind = quote !== undefined && text[start] === quote ? closingQuote(text, start, dialect) : from;
    const end = text.indexOf(delimiter, behind);
    const value = text.slice(from, end < 0 ? text.length : end);
    fields.push(trim ? trimmed(value) : value);
    if (end < 0) return fields;
    from = end + 1;
  }
}

/** The value and the end of a quoted field; undefined if text follows its closing quote. */
function quotedField(text: string, start: number, dialect: CsvDialect): { value: string; end: number } | undefined {
  const { delimiter, quote, escape, trim } = dialect;
  const close = closingQuote(text, start, dialect);
  let end = close + 1;
  if (trim) while (isBlank(text, end, delimiter)) end++;
  if (end < text.length && text[end] !== delimiter) return undefined;
  let value = text.slice(start + 1, close);
  if (escape === undefined) value = value.replaceAll(`${quote ?? ''}${quote ?? ''}`, quote ?? '');
  else if (value.includes(escape) || value.includes(quote ?? '')) value = unescaped(value, quote ?? '', escape);
  return { value, end: Math.min(end, text.length) };
}

/** The index of the quote that closes the field, or the length of the text. */
function closingQuote(text: string, start: number, { quote, escape }: CsvDialect): number {
  for (let at = start + 1; at < text.length; at++) {
    if (escape !== undefined && text[at] === escape && (text[at + 1] === quote || text[at + 1] === escape)) at++;
    else if (text[at] === quote) {
      if (text[at + 1] !== quote) return at;
      at++;
    }
  }
  return text.length;
}

function unescaped(value: string, quote: string, escape: string): string {
  let plain = '';
  for (let at = 0; at < value.length; at++) {
    const [char, next] = [value[at], value[at + 1]];
    const isPair = (char === escape && (next === quote || next === escape)) || (char === quote && next === quote);
    if (isPair) at++;
    plain += value.charAt(at);
  }
  return plain;
}

function isBlank(text: string, at: number, delimiter: string): boolean {
  const char = text[at];
  return (char === ' ' || char === '\t') && char !== delimiter;
}

function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
