/** The functions of a task that reads a list per record, page by page. */
import type { Awaitable, RecordContext } from '../../model/ports.js';
import type { Skip } from '../../model/record.js';

/** The second argument of `page`. `attempt` counts the attempts of the present page. */
export interface PageContext<In> extends RecordContext {
  /** The record whose list is read. */
  readonly record: In;
  /** The number of the page, from 1. A resumed run continues the count. */
  readonly page: number;
}

/** One page of a list. */
export interface PageOf<Token, Item> {
  /** The records to emit, in their order; `skip(reason)` in place of one that is none. The list may be empty. */
  readonly items: readonly Item[];
  /** The token of the next page, as plain data. Undefined or null: this page is the last one. */
  readonly next?: Token | null | undefined;
}

/** How a list is read. */
export interface Paged<In, Token, Item> {
  /** Reads one page. The token is undefined for the first page, then `next` of the page before. */
  readonly page: (token: Token | undefined, context: PageContext<In>) => Awaitable<PageOf<Token, Item>>;
  /** The most pages of a record. One with more is given up with MILLRACE_ITERATIONS, after the items of these pages. */
  readonly maxPages: number;
  /** Milliseconds between two pages of a record. Default 0. */
  readonly everyMs?: number;
}

/** For the compiler only: the items that are records. */
export type Items<Item> = Exclude<Item, Skip>;
