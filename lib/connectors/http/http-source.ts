/**
 * A list that an upstream returns page by page over HTTP, as a source.
 *
 * Guarantees: one page is in memory, and the next one is requested when its records are needed. A request that fails
 * for a temporary reason is repeated; an answer 429 does not count as an attempt. A resumed run begins with the page of
 * the first record that it needs. The failure policy ends an item that does not fit the schema; a page that cannot be
 * read fails the run.
 */
import {
  checkOptions,
  connectorSource,
  count,
  describeThrown,
  describeValue,
  either,
  holdClock,
  madeBy,
  MillraceError,
  oneOf,
  Rejected,
  SOURCE_RULES,
  sleep,
  standardSchema,
  text,
  UpstreamError,
  validate,
  anObject,
  callback,
  type ConnectorContext,
  type Dataset,
  type Json,
  type Lineage,
  type OptionRules,
  type Schema,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourceRead,
  type SourceTask,
  taskOptionsOf,
} from '../../connect/index.js';
import { RateLimit, type TokenBucket } from '../../calls/policies/rate-limit.js';
import { RetryPolicy } from '../../calls/policies/retry-policy.js';
import { LargeInteger, quoteLarge, reviveLarge, type LargeIntegers } from '../json/large-integers.js';
import { faultIn } from '../json/json-value.js';
import { checkConnection, checkHeaders, CONNECTION_RULES, type ConnectionOptions } from '../request/http-defaults.js';
import { firstPage, nextPage, pagesRule, picked, urlOf, type Page, type Pages, type Picked } from './pages.js';
import type { FetchPage, PageBody } from './fetch-page.js';

/** Options of `httpSource`: the first page, how pages follow each other, and the types of the records. */
export interface HttpSourceOptions<Out> extends SourceOptions<Out>, ConnectionOptions {
  /** The URL of the first page. */
  readonly url: string;
  /** How the pages follow each other. Default `{ by: 'link' }`. */
  readonly pages?: Pages;
  /**
   * Where the items of a page are: a path of keys such as `data.items`, or a function. Default: the answer is an array.
   */
  readonly items?: Picked<readonly unknown[]>;
  /** Types an item. The result of the validation is the record. Default: the item as it is. */
  readonly schema?: Schema<Out>;
  /** Headers of each request. Credentials are masked in messages. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Attempts and delays per page, as `retryPolicy` makes them. Its budget also bounds the wait after 429. Default
   * `retryPolicy()`.
   */
  readonly retry?: RetryPolicy;
  /** The most requests per second, as `rateLimit` makes it. Default: no limit. */
  readonly rateLimit?: RateLimit;
  /** The time that an attempt may take, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** The most bytes of a page, compressed and decompressed. Default 10 MiB. */
  readonly maxResponseBytes?: number;
  /**
   * What happens to an item with an integer beyond ±2^53, which a number would round: 'refuse' makes it a dead letter
   * (default), 'text' reads such integers as strings of their digits, 'round' rounds them.
   */
  readonly largeIntegers?: LargeIntegers;
}

const RULES: OptionRules<HttpSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  ...CONNECTION_RULES,
  url: text,
  pages: pagesRule,
  items: either(text, callback),
  schema: standardSchema,
  headers: anObject,
  retry: madeBy(RetryPolicy, '`retryPolicy`'),
  rateLimit: madeBy(RateLimit, '`rateLimit`'),
  timeoutMs: count(),
  maxResponseBytes: count(),
  largeIntegers: oneOf('refuse', 'text', 'round'),
};

/**
 * Reads a list from an upstream, page by page. An upstream that returns other items when it is asked again for a page
 * should be read with `replayable: false`. Throws MILLRACE_INVALID_OPTION for options that do not fit, and
 * MILLRACE_CONFIG for a URL that cannot be called.
 *
 * @example httpSource({ url: 'https://api.example.com/members?per_page=100', pages: { by: 'link' } })
 * @example httpSource({ url, pages: { by: 'cursor', parameter: 'after', next: 'meta.cursor' }, items: 'data' })
 */
export function httpSource<Out = unknown>(options: HttpSourceOptions<Out>): SourceTask<Out> {
  checkOptions('an httpSource', options, RULES, ['url']);
  checkConnection('an httpSource', options);
  checkHeaders('an httpSource', options.headers ?? {});
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`url\` of an httpSource to be an http: or https: URL, got ${describeValue(options.url)}`,
    );
  }
  return connectorSource(new HttpSource(options), taskOptionsOf(options));
}

/** A list of pages as a `Source`. `httpSource` makes it a task. */
export class HttpSource<Out> implements Source<Out> {
  readonly kind = 'http source';
  readonly checkpointFormat = 'http source';
  readonly dataset: Dataset;
  private readonly options: HttpSourceOptions<Out>;
  private pages: HttpPages<Out> | undefined;

  constructor(options: HttpSourceOptions<Out>) {
    this.options = options;
    const { origin, pathname } = new URL(options.url);
    this.dataset = { namespace: origin, name: pathname };
  }

  /** The URL without credentials, and without the query, which may contain credentials. */
  identify(): Json {
    return { url: `${this.dataset.namespace}${this.dataset.name}` };
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    const { headers = {}, url } = this.options;
    context.secrets.addHeaders(headers);
    context.secrets.addText(url);
    const { openFetchPage } = await holdClock(context.clock, import('./fetch-page.js'));
    const fetchPage = await holdClock(context.clock, openFetchPage(this.options, context));
    this.pages = new HttpPages(this.options, fetchPage, context, past);
    return [this.pages];
  }

  async close(): Promise<void> {
    await this.pages?.close();
  }
}

class HttpPages<Out> implements SourcePartition<Out> {
  readonly partition = 0;
  readonly from: Lineage;
  private readonly options: HttpSourceOptions<Out>;
  private readonly by: Pages;
  private readonly fetchPage: FetchPage;
  private readonly context: ConnectorContext;
  private readonly retry: RetryPolicy;
  private readonly bucket: TokenBucket | undefined;
  private readonly closing = new AbortController();
  private items: readonly unknown[] = [];
  private at = 0;
  /** The page of `items`, and the number of its first record. */
  private page: Page;
  private pageFrom: Lineage;
  /** The page to request next; null after the last one. */
  private next: Page | null;

  constructor(
    options: HttpSourceOptions<Out>,
    fetchPage: FetchPage,
    context: ConnectorContext,
    past: SourcePast | undefined,
  ) {
    this.options = options;
    this.by = options.pages ?? { by: 'link' };
    this.fetchPage = fetchPage;
    this.context = context;
    this.retry = options.retry ?? new RetryPolicy();
    this.bucket = options.rateLimit?.start(context.clock.monotonicMs());
    const position = past?.position;
    this.from = this.pageFrom = position?.lineage ?? 0;
    this.page = this.next = (position?.['page'] as Page) ?? firstPage(this.by);
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    while (this.at >= this.items.length) {
      if (this.next === null || this.closing.signal.aborted) return null;
      await this.loadPage(this.next);
    }
    const items = this.items.slice(this.at, this.at + max);
    const first = this.pageFrom + this.at;
    this.at += items.length;
    const isRead = this.at === this.items.length && this.next !== null;
    const [page, lineage] = isRead ? [this.next, this.pageFrom + this.at] : [this.page, this.pageFrom];
    return {
      records: items.map((item, index) => this.recordOf(item, first + index)),
      position: page === undefined || page === null ? { lineage } : { lineage, page },
    };
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.fetchPage.close();
  }

  /** Requests a page, whose items are read next. */
  private async loadPage(page: Page): Promise<void> {
    const { url, items: where } = this.options;
    const address = urlOf(page, url, this.by);
    const body = await this.requested(address);
    // The run has ended.
    if (body === undefined) return;
    const answer = this.parsed(body);
    // An answer without a body, such as 204, has no items.
    const items = body.text === '' ? [] : where === undefined ? answer : picked(answer, where);
    if (!Array.isArray(items)) {
      throw this.unreadable(
        `there is no array of items${typeof where === 'string' ? ` at '${where}'` : ''}, got ${describeValue(items)}`,
      );
    }
    this.pageFrom += this.items.length;
    this.items = items as unknown[];
    this.at = 0;
    this.page = page;
    try {
      this.next = nextPage(page, url, this.by, { answer, link: body.link, count: items.length });
    } catch (error) {
      throw error instanceof UpstreamError ? this.unreadable(error.message) : error;
    }
  }

  /** The answer for a page, after as many attempts as the policy allows; undefined if the partition was closed. */
  private async requested(url: string): Promise<PageBody | undefined> {
    const { clock } = this.context;
    const random = (): number => this.context.random();
    const startedAt = clock.monotonicMs();
    const { signal } = this.closing;
    for (let failures = 0, refusals = 0; ;) {
      if (!(await this.admitted())) return undefined;
      try {
        return await this.fetchPage.fetch(url, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        const isRefused = error instanceof UpstreamError && error.status === 429 && this.retry.isRetryable(error);
        if (isRefused) refusals++;
        else failures++;
        const elapsedMs = clock.monotonicMs() - startedAt;
        // A refusal costs no attempt: the upstream has asked to wait.
        const delayMs = isRefused
          ? this.retry.delayAfter({ attempts: 0, elapsedMs, error, random }) === undefined
            ? undefined
            : (error.retryAfterMs ?? this.retry.backoffMs(refusals, random))
          : this.retry.delayAfter({ attempts: failures, elapsedMs, error, random });
        if (delayMs === undefined) throw error;
        if (!(await this.wait(delayMs))) return undefined;
      }
    }
  }

  /** Waits for the rate limit. Resolves with false if the partition was closed. */
  private async admitted(): Promise<boolean> {
    for (;;) {
      const delayMs = this.bucket?.acquire(1, this.context.clock.monotonicMs()) ?? 0;
      if (delayMs === 0) return !this.closing.signal.aborted;
      if (!(await this.wait(delayMs))) return false;
    }
  }

  private wait(delayMs: number): Promise<boolean> {
    return sleep(this.context.clock, delayMs, this.closing.signal);
  }

  private parsed({ text: body }: PageBody): unknown {
    const { largeIntegers = 'refuse' } = this.options;
    if (body === '') return undefined;
    try {
      if (largeIntegers === 'round') return JSON.parse(body) as unknown;
      const quoted = quoteLarge(body, largeIntegers);
      return (
        quoted !== body && largeIntegers === 'refuse' ? JSON.parse(quoted, reviveLarge) : JSON.parse(quoted)
      ) as unknown;
    } catch (error) {
      throw this.unreadable(`it is not JSON: ${describeThrown(error)}`, error);
    }
  }

  private recordOf(item: unknown, number: Lineage): Out | Rejected {
    const fault = faultIn(item);
    const where = `Item ${number} of ${this.label}`;
    if (fault !== undefined) {
      // A LargeInteger is internal, so its digits replace it.
      const input = JSON.parse(
        JSON.stringify(item, (_, value: unknown) => (value instanceof LargeInteger ? value.digits : value)),
      ) as unknown;
      return new Rejected(input, new MillraceError('MILLRACE_BAD_RESPONSE', `${where}: ${fault}`));
    }
    const { schema } = this.options;
    if (schema === undefined) return item as Out;
    try {
      return validate(schema, item, 'MILLRACE_BAD_RESPONSE', where);
    } catch (error) {
      // An asynchronous schema is not the fault of the item.
      if (error instanceof MillraceError && error.code !== 'MILLRACE_BAD_RESPONSE') throw error;
      return new Rejected(item, error);
    }
  }

  private unreadable(why: string, cause?: unknown): UpstreamError {
    return new UpstreamError('MILLRACE_BAD_RESPONSE', `A page of ${this.label} cannot be read: ${why}`, {
      blame: 'upstream',
      ...(cause === undefined ? {} : { cause }),
    });
  }

  /** The URL without its query, which may contain credentials. */
  private get label(): string {
    const { origin, pathname } = new URL(this.options.url);
    return origin + pathname;
  }
}
