/**
 * One active fault set: its random streams, its token bucket and its concurrency gate.
 *
 * Guarantees: a fault that the set does not contain costs nothing and draws no random number; no fault fires more often
 * than its `times`.
 */
import { UPGRADE_ROUTE } from './operations.js';
import type { ResolvedFaultSet } from './fault-options.js';
import { latencySampler, parseLatency } from './latency.js';
import type { LatencySampler } from './latency.js';
import { ConcurrencyGate, TokenBucket } from './limits.js';
import { seededRandom, seedFor } from './random.js';
import type { Random } from './random.js';

/** The refusal of a request. Error rates answer after the usual latency; limits and redirects answer at once. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly isImmediate: boolean;
  /** The Retry-After header, in the configured form. */
  readonly retryAfter?: string | undefined;
  /** The Location header of a redirect. */
  readonly location?: string | undefined;
}

export type WireFault = 'reset' | 'halfOpen';

/** A fault of the message that carries a reply. */
export type ReplyFault =
  | { readonly kind: 'reset' | 'dropReply' | 'malformedJson' | 'wrongSchema' }
  | { readonly kind: 'slowDrip'; readonly everyMs: number }
  | { readonly kind: 'hugeBody'; readonly bytes: number }
  | { readonly kind: 'gzipBomb'; readonly inflatedMiB: number }
  | { readonly kind: 'reorderReply'; readonly holdMs: number };

interface Chance {
  readonly p: number;
  readonly times?: number | undefined;
}

export class Rule {
  readonly gate: ConcurrencyGate | undefined;
  readonly #bucket: TokenBucket | undefined;
  readonly #sampler: LatencySampler | undefined;
  readonly #routes: ReadonlySet<string> | undefined;
  /** Per kind, a random stream and the number of firings. */
  readonly #streams = new Map<string, { readonly random: Random; fired: number }>();

  constructor(
    readonly set: ResolvedFaultSet,
    readonly seed: number,
    readonly index: number,
    readonly fired: (kind: string) => void,
  ) {
    const { route, concurrencyLimit, rateLimit, addedLatency } = set;
    this.#routes = route === undefined ? undefined : new Set(typeof route === 'string' ? [route] : route);
    if (concurrencyLimit !== undefined) this.gate = new ConcurrencyGate(concurrencyLimit);
    if (rateLimit !== undefined) {
      const burst = rateLimit.burst ?? Math.max(1, rateLimit.perSecond);
      this.#bucket = new TokenBucket(rateLimit.perSecond, burst, performance.now());
    }
    if (addedLatency !== undefined) {
      this.#sampler = latencySampler(parseLatency(addedLatency.latency), this.#stream('addedLatency sample').random);
    }
  }

  /** The handshake is covered only by name: a set for all requests must not prevent clients from connecting. */
  covers(route: string): boolean {
    return this.#routes === undefined ? route !== UPGRADE_ROUTE : this.#routes.has(route);
  }

  isDeadOnAccept(): boolean {
    return this.set.halfOpen?.at === 'accept' && this.#draw('halfOpen', this.set.halfOpen);
  }

  wire(): WireFault | undefined {
    const { reset, halfOpen } = this.set;
    if (reset?.at === 'request' && this.#draw('reset', reset)) return 'reset';
    if (halfOpen?.at === 'request' && this.#draw('halfOpen', halfOpen)) return 'halfOpen';
    return undefined;
  }

  refuse(transport: 'http' | 'ws'): Refusal | undefined {
    const { rateLimit, tooManyRequests, concurrencyLimit, redirect, errorRates } = this.set;
    if (rateLimit !== undefined) {
      const waitMs = this.#bucket?.acquire(performance.now()) ?? 0;
      if (waitMs > 0) {
        this.fired('rateLimit');
        return tooMany('Injected fault: over the rate limit.', retryAfterText(rateLimit.retryAfter, waitMs));
      }
    }
    if (tooManyRequests !== undefined && this.#draw('tooManyRequests', tooManyRequests)) {
      const waitMs = tooManyRequests.retryAfterSeconds * 1000;
      return tooMany('Injected fault: too many requests.', retryAfterText(tooManyRequests.retryAfter, waitMs));
    }
    if (concurrencyLimit?.reject === true && this.gate?.isFull === true) {
      this.fired('concurrencyLimit');
      return { status: 503, message: 'Injected fault: over the concurrency limit.', isImmediate: true };
    }
    if (transport === 'http' && redirect !== undefined && this.#draw('redirect', redirect)) {
      const { status, location } = redirect;
      return { status, message: 'Injected fault: redirected.', isImmediate: true, location };
    }
    for (const [status, rate] of Object.entries(errorRates ?? {})) {
      if (this.#draw('errorRates', typeof rate === 'number' ? { p: rate } : rate, status)) {
        return { status: Number(status), message: `Injected fault: status ${status}.`, isImmediate: false };
      }
    }
    return undefined;
  }

  extraDelay(latencyMs: number): number {
    const { addedLatency, tail } = this.set;
    let ms = 0;
    if (this.gate !== undefined) {
      if (this.gate.isOver) this.fired('concurrencyLimit');
      ms += this.gate.slowed(latencyMs) - latencyMs;
    }
    if (addedLatency !== undefined && this.#draw('addedLatency', addedLatency)) ms += this.#sampler?.() ?? 0;
    if (tail !== undefined && this.#draw('tail', tail)) ms += tail.ms;
    return ms;
  }

  isItemFailing(): boolean {
    return this.set.itemError !== undefined && this.#draw('itemError', this.set.itemError);
  }

  rpcReply(): 'wrongSchema' | 'duplicateReply' | 'unknownIdReply' | 'dropReply' | undefined {
    const { dropReply, wrongSchema, duplicateReply, unknownIdReply } = this.set;
    if (dropReply !== undefined && this.#draw('dropReply', dropReply)) return 'dropReply';
    if (wrongSchema !== undefined && this.#draw('wrongSchema', wrongSchema)) return 'wrongSchema';
    if (duplicateReply !== undefined && this.#draw('duplicateReply', duplicateReply)) return 'duplicateReply';
    if (unknownIdReply !== undefined && this.#draw('unknownIdReply', unknownIdReply)) return 'unknownIdReply';
    return undefined;
  }

  reply(transport: 'http' | 'ws'): ReplyFault | undefined {
    const { reset, slowDrip, malformedJson, hugeBody } = this.set;
    if (reset?.at === 'response' && this.#draw('reset', reset)) return { kind: 'reset' };
    if (transport === 'http') {
      const { dropReply, wrongSchema, gzipBomb } = this.set;
      if (dropReply !== undefined && this.#draw('dropReply', dropReply)) return { kind: 'dropReply' };
      if (wrongSchema !== undefined && this.#draw('wrongSchema', wrongSchema)) return { kind: 'wrongSchema' };
      if (gzipBomb !== undefined && this.#draw('gzipBomb', gzipBomb)) return { kind: 'gzipBomb', ...gzipBomb };
    }
    if (malformedJson !== undefined && this.#draw('malformedJson', malformedJson)) return { kind: 'malformedJson' };
    if (hugeBody !== undefined && this.#draw('hugeBody', hugeBody)) return { kind: 'hugeBody', ...hugeBody };
    if (slowDrip !== undefined && this.#draw('slowDrip', slowDrip)) return { kind: 'slowDrip', ...slowDrip };
    const { reorderReply } = this.set;
    if (transport === 'ws' && reorderReply !== undefined && this.#draw('reorderReply', reorderReply)) {
      return { kind: 'reorderReply', ...reorderReply };
    }
    return undefined;
  }

  #draw(kind: string, chance: Chance, variant = ''): boolean {
    const stream = this.#stream(kind + variant);
    if (chance.times !== undefined && stream.fired >= chance.times) return false;
    if (chance.p < 1 && stream.random() >= chance.p) return false;
    stream.fired++;
    this.fired(kind);
    return true;
  }

  #stream(name: string): { readonly random: Random; fired: number } {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = { random: seededRandom(seedFor(this.seed, `${String(this.index)} ${name}`)), fired: 0 };
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

function tooMany(message: string, retryAfter: string | undefined): Refusal {
  return { status: 429, message, isImmediate: true, retryAfter };
}

/** Both forms have a resolution of one second and are rounded up, so a client that obeys never retries too early. */
function retryAfterText(form: 'seconds' | 'date' | 'none', waitMs: number): string | undefined {
  if (form === 'none') return undefined;
  if (form === 'seconds') return String(Math.ceil(waitMs / 1000));
  return new Date(Math.ceil((Date.now() + waitMs) / 1000) * 1000).toUTCString();
}
