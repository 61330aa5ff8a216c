/**
 * Reads the list of one record, page by page. `pageTask` states the guarantees.
 *
 * At most one page is in memory. The next one is read when the items of this one have been taken.
 */
import { refusePromise } from '../../model/awaitable.js';
import { FatalTaskError, MillraceError, describeValue } from '../../model/errors.js';
import type { Awaitable } from '../../model/ports.js';
import type { Lineage, Skip } from '../../model/record.js';
import type { CallPolicies } from '../../calls/policies/call-policies.js';
import { refusePromises } from '../../stream/promise-free.js';
import { AttemptSignal, nobodyWaits } from '../../stream/attempt-signal.js';
import type { TaskScope } from '../../stream/task-scope.js';
import { counted } from '../../text/printable.js';
import { describeMs } from '../../text/quantities.js';
import { ContinuedChildren, type ChildrenPlace } from '../expander.js';
import { StepContext } from '../record-step.js';
import type { Paged, PageContext, PageOf } from './paged.js';

/** The place of a page: its token and its number. */
type Place<Token> = readonly [token: Token | undefined, page: number];

export interface PageReaderParts<In, Token, Item> {
  readonly paged: Paged<In, Token, Item | Skip>;
  readonly policies: CallPolicies;
  readonly scope: TaskScope;
  readonly record: In;
  readonly lineage: Lineage;
  /** The place of an earlier incarnation. */
  readonly place: ChildrenPlace | undefined;
}

class ContextOfPage<In> extends StepContext implements PageContext<In> {
  readonly record: In;
  readonly page: number;

  constructor(
    parts: Pick<PageReaderParts<In, never, unknown>, 'scope' | 'lineage' | 'record'>,
    attempt: number,
    waiting: AttemptSignal,
    page: number,
  ) {
    super(parts.scope, parts.lineage, attempt, waiting);
    this.record = parts.record;
    this.page = page;
  }
}

export class PageReader<In, Token, Item> extends ContinuedChildren<Item | Skip> {
  private readonly parts: PageReaderParts<In, Token, Item>;
  private items: readonly (Item | Skip)[] = [];
  private at = 0;
  /** The page that is read next; undefined after the last one. */
  private next: Place<Token> | undefined;
  /** The items of all pages that were read. */
  private count: number;
  /** The newest pages, each with the number of items before it. */
  private places: ChildrenPlace[];
  private hasRead = false;
  private isClosed = false;
  /** Ends the present attempt. */
  private abort: (error: Error) => void = () => undefined;
  private wake: () => void = () => undefined;

  constructor(parts: PageReaderParts<In, Token, Item>) {
    super();
    this.parts = parts;
    const { place } = parts;
    this.count = place?.before ?? 0;
    this.next = (place?.position as Place<Token> | undefined) ?? [undefined, 1];
    this.places = place === undefined ? [] : [place];
  }

  override placeAt(born: number): ChildrenPlace | undefined {
    const { places } = this;
    while (places[1] !== undefined && places[1].before <= born) places.shift();
    return places[0];
  }

  override read(max: number): Awaitable<readonly (Item | Skip)[] | null> {
    if (this.at < this.items.length) {
      const some = this.items.slice(this.at, this.at + max);
      this.at += some.length;
      return some;
    }
    return this.next === undefined || this.isClosed ? null : this.readPage(this.next).then(() => this.read(max));
  }

  override close(): void {
    this.isClosed = true;
    this.abort(nobodyWaits('The list is no longer read'));
    this.wake();
  }

  private async readPage(place: Place<Token>): Promise<void> {
    const { paged, scope } = this.parts;
    const [, page] = place;
    if (page > paged.maxPages) {
      throw new MillraceError(
        'MILLRACE_ITERATIONS',
        `'${scope.task}' has read ${counted(paged.maxPages, 'page')} of the record, the most allowed, and there are more. Raise \`maxPages\``,
      );
    }
    if (this.hasRead && paged.everyMs !== undefined) await this.pause(paged.everyMs);
    if (this.isClosed) return;
    const { items, next } = await this.attempts(place);
    this.hasRead = true;
    scope.account.iterations++;
    this.places.push({ position: place, before: this.count });
    this.count += items.length;
    this.items = items;
    this.at = 0;
    this.next = next === undefined || next === null ? undefined : [next, page + 1];
  }

  private async attempts(place: Place<Token>): Promise<PageOf<Token, Item | Skip>> {
    const { scope, policies } = this.parts;
    const { clock } = scope;
    const startedAtMs = clock.monotonicMs();
    for (let attempts = 1; ; attempts++) {
      try {
        const page = await this.attempt(place, attempts);
        scope.account.retried += attempts - 1;
        return page;
      } catch (error) {
        const elapsedMs = clock.monotonicMs() - startedAtMs;
        const isFatal = error instanceof FatalTaskError || this.isClosed;
        const failed = { attempts, elapsedMs, error, random: () => scope.random() };
        const delayMs = isFatal ? undefined : policies.retry.delayAfter(failed);
        if (delayMs === undefined) throw error;
        await this.pause(delayMs);
      }
    }
  }

  private async attempt([token, page]: Place<Token>, attempt: number): Promise<PageOf<Token, Item | Skip>> {
    const { paged, scope, policies } = this.parts;
    const { attemptMs } = policies.timeout.options;
    const waiting = new AttemptSignal();
    // A function that ignores its signal may outlive the run, but the timer must not.
    const aborted = new Promise<never>((_, reject) => {
      this.abort = (error) => {
        waiting.abort(error);
        reject(error);
      };
    });
    // The function may throw before anything waits for this.
    aborted.catch(() => undefined);
    const cancel = scope.clock.schedule(attemptMs, () => {
      const message = `\`page\` of '${scope.task}' did not return page ${page} within ${describeMs(attemptMs)}`;
      this.abort(new MillraceError('MILLRACE_TIMEOUT', message, { retryable: true }));
    });
    try {
      const context = new ContextOfPage(this.parts, attempt, waiting, page);
      return checked(await Promise.race([paged.page(token, context), aborted]), scope.task);
    } finally {
      cancel();
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.parts.scope.clock.schedule(ms, resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** A function in JavaScript may return anything. */
function checked<Token, Item>(page: PageOf<Token, Item> | undefined, task: string): PageOf<Token, Item> {
  const { items, next }: Partial<PageOf<Token, Item>> = page ?? {};
  refusePromise(items, `\`page\` of '${task}', as \`items\`,`);
  refusePromise(next, `\`page\` of '${task}', as \`next\`,`);
  if (page !== undefined && Array.isArray(items)) {
    refusePromises(items, `\`page\` of '${task}'`);
    return page;
  }
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected \`page\` of '${task}' to return { items, next } with a list of items, got ${describeValue(page)}`,
  );
}
