/**
 * The sending half of a WebSocket connection. The promise: messages leave in the order given (unless reordering is
 * the fault), those of one turn of the event loop in one system call, a fragmented message is never interleaved with
 * another, and while a client is slow to read no more of its requests are taken.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Delays } from './delays.js';
import type { ReplyFault } from './fault-rule.js';

/** With more than this unsent, the connection is not read from until half of it has gone. */
const HIGH_WATER_BYTES = 8 * 1_048_576;

export class WsOutbox {
  /** Set when nothing may be sent any more: half-open. */
  isClosed = false;
  #isCorked = false;
  #isPaused = false;
  #held: string | undefined;
  /** Messages that wait for a slow drip to end. */
  #behindDrip: string[] | undefined;

  constructor(
    readonly socket: WebSocket,
    readonly raw: Socket,
    readonly delays: Delays,
  ) {}

  /** ws notices that its socket is gone only in a later turn: asking it alone would let a drip outlive the server. */
  get #isUsable(): boolean {
    return !this.isClosed && !this.raw.destroyed && this.socket.readyState === this.socket.OPEN;
  }

  send(text: string): void {
    if (this.#behindDrip !== undefined) {
      this.#behindDrip.push(text);
      return;
    }
    this.#write(text);
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      this.#write(held);
    }
  }

  sendSpoilt(text: string, fault: ReplyFault, isBatch: boolean): void {
    switch (fault.kind) {
      case 'reset':
        this.raw.resetAndDestroy();
        return;
      case 'malformedJson':
        this.send(text.slice(0, -Math.ceil(text.length / 2)));
        return;
      case 'hugeBody':
        this.send(text.slice(0, -1) + ' '.repeat(Math.max(0, fault.bytes - text.length)) + text.slice(-1));
        return;
      case 'slowDrip':
        this.#drip(text, fault.everyMs);
        return;
      case 'reorderReply':
        if (isBatch) this.send(text);
        else this.#hold(text, fault.holdMs);
        return;
      default:
        this.send(text);
    }
  }

  /** Until the next message has overtaken it; with no next message it must not become a lost one. */
  #hold(text: string, holdMs: number): void {
    if (this.#held !== undefined) {
      this.send(text);
      return;
    }
    this.#held = text;
    this.delays.after(holdMs, () => {
      if (this.#held !== text) return;
      this.#held = undefined;
      this.send(text);
    });
  }

  /** One byte per fragment. Other data frames between fragments would break the protocol, so they wait. */
  #drip(text: string, everyMs: number): void {
    if (this.#behindDrip !== undefined) {
      this.#behindDrip.push(text);
      return;
    }
    const waiting: string[] = [];
    this.#behindDrip = waiting;
    const body = Buffer.from(text);
    let at = 0;
    const next = (): void => {
      if (!this.#isUsable) return;
      const byte = body.subarray(at, ++at);
      this.socket.send(byte, { binary: false, fin: at === body.length });
      if (at < body.length) {
        this.delays.after(everyMs, next);
        return;
      }
      this.#behindDrip = undefined;
      for (const message of waiting) this.send(message);
    };
    next();
  }

  #write(text: string): void {
    const { socket, raw } = this;
    if (!this.#isUsable) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      raw.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        raw.uncork();
      });
    }
    if (this.#isPaused || socket.bufferedAmount < HIGH_WATER_BYTES) {
      socket.send(text);
      return;
    }
    this.#isPaused = true;
    socket.pause();
    socket.send(text, () => {
      this.#isPaused = false;
      if (this.#isUsable) socket.resume();
    });
  }
}
