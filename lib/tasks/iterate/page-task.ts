/**
 * Paging: a list is read per record, page by page, from an upstream that names the next page with a token.
 *
 * Guarantees: those of `expandTask`: the items are children of the record, they are emitted page by page as the
 * dependents have room, and `gather` collects them. At most one page is in memory. Retries and timeouts hold per page.
 * The number of pages is bounded. In a run that is kept, a list continues after a crash with the page that was emitted
 * last; the items of that page that were emitted are not emitted again.
 */
import { callback, checkFunction, checkObject, checkOptions, count, number } from '../../options/options.js';
import type { OptionRules } from '../../options/options.js';
import type { AsyncOptions } from '../async-task.js';
import { ASYNC_RULES, callPoliciesOf } from '../async-task.js';
import { ExpandTask, type ExpandOptions } from '../expand-task.js';
import type { Task, TaskBound } from '../task.js';
import { DURABLE_RULES, TASK_RULES } from '../task-options.js';
import type { Items, Paged } from './paged.js';

/** Options of a `pageTask`. `retry` and `timeoutMs` hold per page. */
export interface PageOptions<In, Item>
  extends ExpandOptions<In, Item>, Pick<AsyncOptions<In, Item>, 'retry' | 'timeoutMs'> {}

const { retry, timeoutMs } = ASYNC_RULES;
const RULES: OptionRules<PageOptions<never, unknown>> = { ...TASK_RULES, ...DURABLE_RULES, retry, timeoutMs };
const PAGED_RULES: OptionRules<Paged<never, never, unknown>> = {
  page: callback,
  maxPages: count(),
  everyMs: number(0),
};

/**
 * Calls `page` with the token of each page of a record, and emits the items of the pages. A record with more than
 * `maxPages` pages is given up with MILLRACE_ITERATIONS. Records are read one after the other. Throws
 * MILLRACE_INVALID_OPTION for functions and options that do not fit, and without `maxPages`.
 *
 * @example
 * pageTask({ page: async (token: string | undefined, { record, signal }) => {
 *   const { orders, nextToken } = await ordersOf(record.customer, token, signal);
 *   return { items: orders, next: nextToken };
 * }, maxPages: 1000 }, { retry: { attempts: 3 }, timeoutMs: 10_000 })
 */
export function pageTask<In, Token, Item>(
  paged: Paged<In, Token, Item>,
  options: PageOptions<In, Items<Item>> = {},
): Task<In, Items<Item>> {
  checkObject('the functions of a pageTask', paged);
  checkOptions('a pageTask', options, RULES);
  checkFunction('`page` of a pageTask', paged.page);
  checkOptions('the functions of a pageTask', paged, PAGED_RULES, ['maxPages']);
  return new PageTask<In, Token, Items<Item>>(paged as Paged<In, Token, Items<Item>>, options);
}

class PageTask<In, Token, Item> extends ExpandTask<In, Item> {
  override readonly kind = 'pages';
  override readonly makesCalls = true;
  override readonly checkpointFormat = 'pages';

  constructor(paged: Paged<In, Token, Item>, options: PageOptions<In, Item>) {
    const policies = callPoliciesOf<In, Item>(options);
    super(
      (scope, operators) =>
        (record, { lineage }, place) =>
          new operators.PageReader<In, Token, Item>({ paged, policies, scope, record, lineage, place }),
      options,
    );
  }

  override get bounds(): readonly TaskBound[] {
    return [{ what: 'pages in memory', most: 1 }];
  }
}
