/**
 * The ways in which upstreams divide a list into pages, and the page that follows another.
 *
 * Guarantees: a page is named by plain data, from which a later incarnation continues. The next page must be on the
 * origin of the first one, so credentials are not sent to other origins.
 */
import { UpstreamError, describeValue, type OptionRule } from '../../connect/index.js';
import { LargeInteger } from '../json/large-integers.js';
import { linkTo } from './link-header.js';

/** A path of keys such as `meta.next`, or a function of the answer. */
export type Picked<Value> = string | ((answer: unknown) => Value);

/** The Link header names the next page (`rel="next"`). */
export interface LinkPages {
  /** The way to the next page. */
  readonly by: 'link';
}

/** The answer has the URL of the next page. */
export interface UrlPages {
  /** The way to the next page. */
  readonly by: 'url';
  /** The place of the URL in the answer. A missing value, null or '' means that this is the last page. */
  readonly next: Picked<string | null | undefined>;
}

/** The answer has a cursor, which the next request sends. */
export interface CursorPages {
  /** The way to the next page. */
  readonly by: 'cursor';
  /** The parameter of the URL that sends the cursor. */
  readonly parameter: string;
  /** The place of the cursor in the answer. A missing value, null or '' means that this is the last page. */
  readonly next: Picked<string | number | null | undefined>;
}

/** Pages are numbered. */
export interface NumberedPages {
  /** The way to the next page. */
  readonly by: 'number';
  /** The parameter of the URL that sends the number. Default `page`. */
  readonly parameter?: string;
  /** The number of the first page. Default 1. */
  readonly first?: number;
  /** A page with fewer items is the last one. Default: a page without items is. */
  readonly pageSize?: number;
}

/** A page begins at an item. */
export interface OffsetPages {
  /** The way to the next page. */
  readonly by: 'offset';
  /** The parameter of the URL that sends the number of items before the page. Default `offset`. */
  readonly parameter?: string;
  /** A page with fewer items is the last one. Default: a page without items is. */
  readonly pageSize?: number;
}

/** How the pages of an upstream follow each other. */
export type Pages = LinkPages | UrlPages | CursorPages | NumberedPages | OffsetPages;

/** The checks of the options of each kind of pages. */
const KNOWN: Readonly<Record<Pages['by'], Readonly<Record<string, (value: unknown) => boolean>>>> = {
  link: {},
  url: { next: isPicked },
  cursor: { parameter: isText, next: isPicked },
  number: { parameter: isOptional(isText), first: isOptional(isCount), pageSize: isOptional(isSize) },
  offset: { parameter: isOptional(isText), pageSize: isOptional(isSize) },
};

export const pagesRule: OptionRule = {
  expected:
    "one of { by: 'link' }, { by: 'url', next }, { by: 'cursor', parameter, next }, { by: 'number' } and { by: 'offset' } with their options",
  accepts: (value) => {
    const { by, ...options } = (value ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof by !== 'string' || !Object.hasOwn(KNOWN, by)) return false;
    const known = KNOWN[by as Pages['by']];
    return (
      Object.keys(options).every((name) => Object.hasOwn(known, name)) &&
      Object.entries(known).every(([name, accepts]) => accepts(options[name]))
    );
  },
};

/** A page, as a checkpoint keeps it: a URL, a cursor, a number or an offset. The first one may be undefined. */
export type Page = string | number | undefined;

/** The received data of a page. */
export interface PageAnswer {
  readonly answer: unknown;
  readonly link: unknown;
  /** The number of items in it. */
  readonly count: number;
}

/** The first page. */
export function firstPage(pages: Pages): Page {
  if (pages.by === 'number') return pages.first ?? 1;
  return pages.by === 'offset' ? 0 : undefined;
}

/** The URL of a page. */
export function urlOf(page: Page, url: string, pages: Pages): string {
  if (page === undefined) return url;
  if (pages.by === 'link' || pages.by === 'url') return String(page);
  const full = new URL(url);
  full.searchParams.set(parameterOf(pages), String(page));
  return full.href;
}

/**
 * The page after this one; null after the last one. Throws an UpstreamError if the next page is this one, is on another
 * origin, or is invalid.
 */
export function nextPage(page: Page, url: string, pages: Pages, { answer, link, count }: PageAnswer): Page | null {
  switch (pages.by) {
    case 'number':
    case 'offset': {
      if (count === 0 || count < (pages.pageSize ?? 1)) return null;
      return (page as number) + (pages.by === 'number' ? 1 : count);
    }
    case 'cursor': {
      const next = picked(answer, pages.next);
      const cursor = next instanceof LargeInteger ? next.digits : next;
      if (cursor === undefined || cursor === null || cursor === '') return null;
      if (typeof cursor !== 'string' && typeof cursor !== 'number')
        throw invalid(`its cursor is ${describeValue(cursor)}`);
      if (String(cursor) === String(page)) throw invalid(`it names itself as its next page, ${describeValue(cursor)}`);
      return cursor;
    }
    default: {
      const next = pages.by === 'link' ? linkTo('next', link) : picked(answer, pages.next);
      if (next === undefined || next === null || next === '') return null;
      const here = urlOf(page, url, pages);
      const there = typeof next === 'string' && URL.canParse(next, here) ? new URL(next, here) : undefined;
      if (there === undefined) throw invalid(`its next page is ${describeValue(next)}, which is not a URL`);
      if (there.href === new URL(here).href) throw invalid('it names itself as its next page');
      if (there.origin !== new URL(url).origin) {
        throw invalid(`its next page is on ${there.origin}, to which the headers of this source must not be sent`);
      }
      return there.href;
    }
  }
}

/** The value at a path of keys, or the result of the function. */
export function picked(answer: unknown, pick: Picked<unknown>): unknown {
  if (typeof pick === 'function') return pick(answer);
  let here = answer;
  for (const key of pick.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}

function parameterOf(pages: Exclude<Pages, { by: 'link' | 'url' }>): string {
  return pages.parameter ?? (pages.by === 'number' ? 'page' : 'offset');
}

function invalid(why: string): UpstreamError {
  return new UpstreamError('MILLRACE_BAD_RESPONSE', why, { blame: 'upstream' });
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isPicked(value: unknown): boolean {
  return typeof value === 'function' || isText(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isSize(value: unknown): boolean {
  return isCount(value) && value !== 0;
}

function isOptional(accepts: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || accepts(value);
}
