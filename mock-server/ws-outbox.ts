/**
 * The sending half of a WebSocket connection.
 *
 * Guarantees: messages leave in the order of the calls to `send`, except under the reordering fault; the messages of
 * one turn of the event loop leave in one system call; a fragmented message is never interleaved with another; while a
 * client is slow to read, the server reads no further requests from it.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Delays } from './delays.js';
import type { ReplyFault } from './fault-rule.js';

/** Above this number of unsent bytes, the server stops reading from the connection until the message is sent. */
const HIGH_WATER_BYTES = 8 * 1_048_576;

export class WsOutbox {
  /** True when the connection is half-open: nothing is sent any more. */
  isClosed = false;
  #isCorked = false;
  #isPaused = false;
  /** A reply that waits for the next reply to overtake it. */
  #reordered: string | undefined;
  /** Messages that wait for a slow drip to end. */
  #behindDrip: string[] | undefined;

  constructor(
    readonly socket: WebSocket,
    readonly raw: Socket,
    readonly delays: Delays,
  ) {}

  /** ws detects a closed socket only in a later turn. Checking ws alone would let a slow drip outlive the server. */
  get #isUsable(): boolean {
    return !this.isClosed && !this.raw.destroyed && this.socket.readyState === this.socket.OPEN;
  }

  send(text: string): void {
    if (this.#behindDrip !== undefined) {
      this.#behindDrip.push(text);
      return;
    }
    this.#write(text);
    const reordered = this.#reordered;
    if (reordered !== undefined) {
      this.#reordered = undefined;
      this.#write(reordered);
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
        else this.#reorder(text, fault.holdMs);
        return;
      default:
        this.send(text);
    }
  }

  /**
   * Keeps a message until the next one has overtaken it. Without a next message, it is sent after `holdMs`, so it is
   * not lost.
   */
  #reorder(text: string, holdMs: number): void {
    if (this.#reordered !== undefined) {
      this.send(text);
      return;
    }
    this.#reordered = text;
    this.delays.after(holdMs, () => {
      if (this.#reordered !== text) return;
      this.#reordered = undefined;
      this.send(text);
    });
  }

  /** Sends one byte per fragment. Data frames between fragments would break the protocol, so other messages wait. */
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
