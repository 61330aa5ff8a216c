/**
 * The values of PostgreSQL as values of JavaScript.
 *
 * Guarantees: nothing is rounded: bigint and numeric are strings, as pg reads them. A timestamp without a time zone is
 * read in UTC, in which it is written; a date stays its text, because it is no instant.
 */
import { describeThrown, MillraceError } from '../../connect/index.js';
import { types } from './postgres-package.js';

type Parser = (text: string) => unknown;

const DATE = 1082;
const TIMESTAMP = 1114;
const DATES = 1182;
const TIMESTAMPS = 1115;

/** The parsers of pg, for types of any number. */
const parserOfPackage = types.getTypeParser as unknown as (type: number, format: 'text' | 'binary') => Parser;

const utc = parserOfPackage(1184, 'text');
/** Without a zone, such as `2024-01-02 03:04:05`; also `infinity`, which has none. */
const timestamp: Parser = (text) => (/\d$/.test(text) ? utc(`${text}+00`) : utc(text));
const asText: Parser = (text) => text;

const OWN: Readonly<Record<number, Parser>> = {
  [DATE]: asText,
  [TIMESTAMP]: timestamp,
  [DATES]: (text) => listOf(text, asText),
  [TIMESTAMPS]: (text) => listOf(text, timestamp),
};

/** Reads a value of the type with this number. */
export function parserOf(type: number): Parser {
  return OWN[type] ?? parserOfPackage(type, 'text');
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
