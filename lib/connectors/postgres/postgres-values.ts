/**
 * The values of PostgreSQL as values of JavaScript.
 *
 * Guarantees: no number is rounded: bigint and numeric are strings, in arrays too, and an integer within JSON that a
 * number cannot hold throws. A timestamp without a time zone is read in UTC, in which it is written; a date stays its
 * text, because it is no instant. A timestamp is rounded down to milliseconds; one that no Date can hold throws. An
 * interval and a figure of geometry are texts, which a sink writes: pg would make objects of them, and an interval of zero
 * from a text that it does not know.
 */
import { describeThrown, MillraceError } from '../../connect/index.js';
import { firstLargeIn, quoteLarge, reviveLarge } from '../json/large-integers.js';
import { types } from './postgres-package.js';

type Parser = (text: string) => unknown;

const DATE = 1082;
const TIMESTAMP = 1114;
const DATES = 1182;
const TIMESTAMPS = 1115;
const INSTANT = 1184;
const INSTANTS = 1185;
const INTERVAL = 1186;
const INTERVALS = 1187;
const POINT = 600;
const POINTS = 1017;
const CIRCLE = 718;
const NUMERIC = 1700;
const NUMERICS = 1231;
const JSON_TEXT = 114;
const JSON_BINARY = 3802;
const JSON_TEXTS = 199;
const JSON_BINARIES = 3807;

/** The parsers of pg, for types of any number. */
const parserOfPackage = types.getTypeParser as unknown as (type: number, format: 'text' | 'binary') => Parser;

/** With a zone, or `infinity`, which is a number. */
const utc: Parser = (text) => {
  const instant = parserOfPackage(INSTANT, 'text')(text);
  if (!(instant instanceof Date) || !Number.isNaN(instant.getTime())) return instant;
  throw new RangeError(`no Date can hold ${text}. Select the column as text, with ::text`);
};
/** Without a zone, such as `2024-01-02 03:04:05`; also `infinity`, which has none. */
const timestamp: Parser = (text) => (/\d$/.test(text) ? utc(`${text}+00`) : utc(text));
const asText: Parser = (text) => text;
const texts: Parser = (text) => listOf(text, asText);
const json: Parser = (text) => {
  const marked = quoteLarge(text, 'refuse');
  if (marked === text) return JSON.parse(text) as unknown;
  const value: unknown = JSON.parse(marked, reviveLarge);
  const digits = firstLargeIn(value);
  if (digits === undefined) return value;
  throw new RangeError(`a number cannot hold the integer ${digits} exactly. Select the column as text, with ::text`);
};

const OWN: Readonly<Record<number, Parser>> = {
  [DATE]: asText,
  [TIMESTAMP]: timestamp,
  [DATES]: texts,
  [TIMESTAMPS]: (text) => listOf(text, timestamp),
  [INSTANT]: utc,
  [INSTANTS]: (text) => listOf(text, utc),
};

/** Used in place of parsers of pg that lose something, unless the program has set parsers of its own. */
const EXACT: Readonly<Record<number, Parser>> = {
  [INTERVAL]: asText,
  [INTERVALS]: texts,
  [POINT]: asText,
  [POINTS]: texts,
  [CIRCLE]: asText,
  [NUMERICS]: (text) => listOf(text, (item) => parserOf(NUMERIC)(item)),
  [JSON_TEXT]: json,
  [JSON_BINARY]: json,
  [JSON_TEXTS]: (text) => listOf(text, json),
  [JSON_BINARIES]: (text) => listOf(text, json),
};
const losing = new Map(Object.keys(EXACT).map((type) => [Number(type), parserOfPackage(Number(type), 'text')]));

/** Reads a value of the type with this number. */
export function parserOf(type: number): Parser {
  const own = OWN[type];
  if (own !== undefined) return own;
  const parse = parserOfPackage(type, 'text');
  return parse === losing.get(type) ? (EXACT[type] ?? parse) : parse;
}

/** The types of a query, in the form that pg expects. */
export const typesOfQuery = {
  getTypeParser: (type: number, format?: string): Parser => {
    const parse = format === 'binary' ? parserOfPackage(type, 'binary') : parserOf(type);
    return (text) => {
      try {
        return parse(text);
      } catch (error) {
        throw parserFailed(`The parser of type ${type} of PostgreSQL`, error);
      }
    };
  },
};

/** The error of a parser, which may be a parser of the program. It concerns only the row with the value. */
export function parserFailed(of: string, error: unknown): MillraceError {
  return new MillraceError('MILLRACE_SQL', `${of} threw: ${describeThrown(error)}`, { cause: error });
}

function listOf(text: string, parse: Parser): unknown[] {
  const lists = (
    types as unknown as { readonly arrayParser: { create(text: string, parse: Parser): { parse(): unknown[] } } }
  ).arrayParser;
  return lists.create(text, parse).parse();
}
