/**
 * Calls over a small pool of WebSockets: pipelined, batched into one message per turn of the event loop, with replies
 * matched by id in any order.
 *
 * Guarantees: the task's concurrency limits the calls that wait to be sent, and `maxBufferedBytes` limits their bytes.
 * Replies with unknown, repeated or cancelled ids, and messages that the upstream pushes, are counted and dropped. The
 * calls that a lost connection leaves unanswered fail with one error, and the retry policy sends them again with the
 * same idempotency key. If one of several calls broke the connection, each of them is sent again alone, so that only
 * the culprit fails. An upstream that refuses each connection after the handshake ends the run.
 */
import { isPromiseLike, type Awaitable, type Clock } from '../../connect/index.js';
import type { Attempt, Caller, CallOutcomes, CancelReason } from '../../calls/call.js';
import type { Connection } from '../request/connection.js';
import type { CallBody } from '../request/request-body.js';
import { reportAnswer } from '../request/report-answer.js';
import type { CallIdentity } from '../request/request-identity.js';
import type { IncomingReply } from './codec.js';
import { IdRing } from './id-ring.js';
import { invalidReply, isRefusal, lossError, refusedError, remoteError } from './socket-errors.js';
import type { LinkEnd, LinkHandlers, SocketLink } from './socket-link.js';
import { SocketPools } from './socket-pools.js';
import type { WebSocketSettings } from './web-socket-options.js';

export interface SocketCallerParts<In, Out> {
  readonly url: string;
  /** The name of the upstream in messages. */
  readonly upstream: string;
  readonly task: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly settings: WebSocketSettings;
  readonly maxPayloadBytes: number;
  readonly keyName: string | undefined;
  readonly sendsTrace: boolean;
  readonly identity: CallIdentity;
  readonly isIdempotent: boolean;
  readonly isUnixSocket: boolean;
  readonly connection: Connection;
  readonly clock: Clock;
  readonly random: () => number;
  readonly bodyOf: (attempt: Attempt<In>) => Awaitable<CallBody>;
  readonly read: (answer: unknown) => Awaitable<Out>;
  /** Reports a peculiarity of the upstream to the user. */
  readonly notice: (message: string) => void;
}

/** A call is sent alone after this many lost connections. */
const SUSPECT_AFTER = 2;
/** The run ends after this many connections in a row that were closed with a refusal before any reply. */
const MOST_REFUSALS = 3;
/** Connections for calls that are sent alone. */
const LONE_SOCKETS = 4;
/** The number of cancelled calls that are remembered, to recognise their late replies. */
const REMEMBERED = 8192;

export class SocketCaller<In, Out> implements Caller<In, Out> {
  readonly counts = {
    connections: 0,
    lostConnections: 0,
    lateReplies: 0,
    duplicateReplies: 0,
    unknownReplies: 0,
    notifications: 0,
    unreadable: 0,
    sentAlone: 0,
  };
  private readonly parts: SocketCallerParts<In, Out>;
  private outcomes: CallOutcomes<In, Out> | undefined;
  private readonly pools: SocketPools<In>;
  /** Attempts to send, in order. Attempts that are over are skipped. */
  private outbox: Attempt<In>[] = [];
  private sentFrom = 0;
  private suspects: Attempt<In>[] = [];
  /** The bodies of attempts whose schema was asynchronous. */
  private readonly bodies = new WeakMap<Attempt<In>, CallBody>();
  private readonly cancelled = new IdRing(REMEMBERED);
  private nextId = 1;
  private isFlushDue = false;
  private isClosed = false;
  /** Whether the upstream has replied to any call. */
  private hasReplied = false;
  /** Connections in a row that were closed with a refusal before any reply. */
  private refusals = 0;
  private readonly hinted = new Set<string>();
  private readonly handlers: LinkHandlers<In> = {
    onOpen: () => {
      this.counts.connections++;
      this.flush();
    },
    onMessage: (text, link) => {
      this.receive(text, link);
    },
    onDrain: () => {
      this.flush();
    },
    onEnd: (link, end) => {
      this.handleLoss(link, end);
    },
  };

  constructor(parts: SocketCallerParts<In, Out>) {
    this.parts = parts;
    const wake = (): void => {
      this.flush();
    };
    this.pools = new SocketPools({ ...parts, wake }, this.handlers);
  }

  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void {
    this.outcomes = outcomes;
    for (const attempt of attempts) {
      if (attempt.call.losses >= SUSPECT_AFTER) this.suspects.push(attempt);
      else this.outbox.push(attempt);
    }
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    // Calls that start in one turn are sent together.
    this.parts.clock.defer(() => {
      this.isFlushDue = false;
      this.flush();
    });
  }

  cancel(attempt: Attempt<In>, reason: CancelReason): void {
    const id = attempt.handle;
    if (typeof id !== 'number') return;
    attempt.handle = undefined;
    for (const link of this.pools.all) {
      if (!link.pending.delete(id)) continue;
      this.cancelled.add(id);
      // No message has arrived since the call was sent: the connection is half-open, or a message never ends.
      if (reason === 'timeout' && link.lastMessageAtMs < attempt.startedAtMs) {
        link.drop('broken', new Error('nothing came over the connection while a call timed out'));
      } else if (this.pools.lone.has(link)) this.flush();
      return;
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.pools.close();
  }

  private get waiting(): number {
    return this.outbox.length - this.sentFrom;
  }

  /** Sends what may be sent, and opens connections if nothing can be sent. */
  private flush(): void {
    if (this.isClosed) return;
    this.sendSuspects();
    while (this.waiting > 0) {
      const link = this.pools.idlest();
      if (link === undefined) break;
      this.sendBatch(link);
    }
    if (this.waiting > 0) this.pools.fill(this.pools.shared, this.parts.settings.sockets);
    // The array is a queue. The sent part is removed at once, not item by item.
    if (this.sentFrom > 0) {
      this.outbox = this.waiting === 0 ? [] : this.outbox.slice(this.sentFrom);
      this.sentFrom = 0;
    }
  }

  private sendBatch(link: SocketLink<In>): void {
    const { codec, maxBatch } = this.parts.settings;
    const most = codec.frame === undefined ? 1 : maxBatch;
    const calls: string[] = [];
    while (calls.length < most && this.waiting > 0) {
      const attempt = this.outbox[this.sentFrom++] as Attempt<In>;
      const text = this.encode(attempt, link);
      if (text !== undefined) calls.push(text);
    }
    if (calls.length > 0) link.send(codec.frame?.(calls) ?? (calls[0] as string));
  }

  /** Sends each suspect on a connection of its own. */
  private sendSuspects(): void {
    const { codec } = this.parts.settings;
    this.suspects = this.suspects.filter((attempt) => !attempt.isOver);
    for (const link of this.pools.lone) {
      while (link.isOpen && link.pending.size === 0 && this.suspects.length > 0) {
        const attempt = this.suspects.shift() as Attempt<In>;
        const text = this.encode(attempt, link);
        if (text === undefined) continue;
        this.counts.sentAlone++;
        link.send(codec.frame?.([text]) ?? text);
      }
    }
    if (this.suspects.length > 0) this.pools.fill(this.pools.lone, Math.min(LONE_SOCKETS, this.suspects.length));
  }

  /** The encoded call, registered as unanswered; undefined if it is over or cannot be encoded. */
  private encode(attempt: Attempt<In>, link: SocketLink<In>): string | undefined {
    if (attempt.isOver) return undefined;
    const { method, keyName, sendsTrace, identity, settings, bodyOf } = this.parts;
    const { lineage, span } = attempt.call;
    const id = this.nextId;
    let text: string;
    try {
      const body = this.bodies.get(attempt) ?? bodyOf(attempt);
      if (isPromiseLike(body)) {
        this.sendLater(attempt, body);
        return undefined;
      }
      this.nextId++;
      text = settings.codec.encode({
        id,
        method,
        params: body.value,
        key: keyName === undefined ? undefined : { name: keyName, value: identity.key(lineage) },
        traceparent: sendsTrace ? (span?.traceparent ?? identity.traceparent(lineage)) : undefined,
      });
    } catch (error) {
      this.outcomes?.fail(attempt, error);
      return undefined;
    }
    attempt.handle = id;
    link.pending.set(id, attempt);
    return text;
  }

  /** Queues the attempt again when its body is ready. */
  private sendLater(attempt: Attempt<In>, making: PromiseLike<CallBody>): void {
    making.then(
      (body) => {
        this.bodies.set(attempt, body);
        if (attempt.call.losses >= SUSPECT_AFTER) this.suspects.push(attempt);
        else this.outbox.push(attempt);
        this.flush();
      },
      (error: unknown) => this.outcomes?.fail(attempt, error),
    );
  }

  private receive(text: string, link: SocketLink<In>): void {
    let replies: readonly IncomingReply[];
    try {
      replies = this.parts.settings.codec.decode(text);
    } catch (error) {
      this.counts.unreadable++;
      link.drop('garbage', error);
      return;
    }
    let nameless: IncomingReply | undefined;
    for (const reply of replies) {
      const { id } = reply;
      if (reply.notification !== undefined) this.counts.notifications++;
      else if (id === undefined) nameless = reply;
      else {
        const attempt = link.pending.get(id);
        if (attempt === undefined) this.countStray(id);
        else {
          link.pending.delete(id);
          attempt.handle = undefined;
          attempt.call.losses = 0;
          if (!link.hasReplied) this.firstReply(link);
          this.deliver(attempt, reply);
        }
      }
    }
    if (nameless !== undefined && link.pending.size > 0) {
      // The upstream could not read a call, and the reply does not show which one.
      this.counts.unreadable++;
      link.drop('garbage', new Error(nameless.error?.message ?? 'a reply without an id'));
      return;
    }
    if (this.pools.lone.has(link)) this.sendSuspects();
  }

  private firstReply(link: SocketLink<In>): void {
    link.hasReplied = true;
    this.hasReplied = true;
    this.refusals = 0;
    this.pools.proved();
  }

  private deliver(attempt: Attempt<In>, { result, error, invalid, hint }: IncomingReply): void {
    if (hint !== undefined && !this.hinted.has(hint)) {
      this.hinted.add(hint);
      this.parts.notice(`The upstream ${this.parts.upstream} of '${this.parts.task}': ${hint}`);
    }
    if (error !== undefined) {
      this.outcomes?.fail(attempt, remoteError(error, this.parts));
      return;
    }
    if (invalid !== undefined) {
      this.outcomes?.fail(attempt, invalidReply(invalid, this.parts));
      return;
    }
    reportAnswer(() => this.parts.read(result), attempt, this.outcomes);
  }

  private countStray(id: number): void {
    if (this.cancelled.remove(id)) this.counts.lateReplies++;
    else if (id > 0 && id < this.nextId) this.counts.duplicateReplies++;
    else this.counts.unknownReplies++;
  }

  private handleLoss(link: SocketLink<In>, end: LinkEnd): void {
    const pool = this.pools.remove(link);
    if (this.isClosed) return;
    if (end.wasOpen) this.counts.lostConnections++;
    const unanswered = [...link.pending.values()];
    link.pending.clear();
    for (const attempt of unanswered) {
      attempt.handle = undefined;
      attempt.call.losses++;
    }
    const isRefused = isRefusal(end) && !link.hasReplied;
    if (isRefused) this.refusals++;
    const isCallsFault = end.why === 'limit' || end.why === 'garbage' || end.why === 'rejected';
    if (!isCallsFault || isRefused) this.pools.backOff();
    if (isCallsFault && unanswered.length > 1) this.suspects.push(...unanswered);
    else {
      const error =
        this.refusals >= MOST_REFUSALS ? refusedError(end, this.parts) : lossError(end, this.parts, this.hasReplied);
      for (const attempt of unanswered) this.outcomes?.fail(attempt, error);
      if (!end.wasOpen && pool.size === 0) this.failWaiting(pool === this.pools.lone, error);
    }
    this.flush();
  }

  /** If no connection can be made, waiting calls fail at once with the error of the connection instead of a timeout. */
  private failWaiting(isLone: boolean, error: unknown): void {
    const failed = isLone ? this.suspects : this.outbox.slice(this.sentFrom);
    if (isLone) this.suspects = [];
    else {
      this.outbox = [];
      this.sentFrom = 0;
    }
    for (const attempt of failed) if (!attempt.isOver) this.outcomes?.fail(attempt, error);
  }
}
