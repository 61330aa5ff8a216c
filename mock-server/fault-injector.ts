/**
 * Chooses the faults of each request. It never touches a socket.
 *
 * Guarantees: the choice depends only on the seed and on the order of the requests, and each kind of fault has a random
 * stream of its own, so that a failing run can be replayed; every fault that fires is counted by its kind.
 *
 * Several fault sets may be active. Their delays add up. For every other fault, the first set that fires wins.
 */
import { Rule } from './fault-rule.js';
import type { Refusal, ReplyFault, WireFault } from './fault-rule.js';
import type { ResolvedFaultSet } from './fault-options.js';

export type Transport = 'http' | 'ws';

export class FaultInjector {
  readonly #rules: readonly Rule[];

  /** @param fired called with the kind of each fault that fires. */
  constructor(sets: readonly ResolvedFaultSet[], seed: number, fired: (kind: string) => void) {
    this.#rules = sets.map((set, index) => new Rule(set, set.seed ?? seed, index, fired));
  }

  /** Whether a newly accepted connection stays unanswered for ever. */
  isDeadOnAccept(): boolean {
    return this.#rules.some((rule) => rule.isDeadOnAccept());
  }

  /** The fault of a request before the server works on it. */
  wire(route: string): WireFault | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.wire() : undefined));
  }

  /** The reason to refuse a request, or undefined. Draws limits first, then error rates. */
  refuse(route: string, transport: Transport): Refusal | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.refuse(transport) : undefined));
  }

  /** Acquires a slot in the concurrency limits. The caller must call `leave` exactly once, on the same injector. */
  enter(route: string): void {
    for (const rule of this.#rules) if (rule.covers(route)) rule.gate?.enter();
  }

  leave(route: string): void {
    for (const rule of this.#rules) if (rule.covers(route)) rule.gate?.leave();
  }

  /** The duration in ms of a request that has entered, given its latency without faults. */
  delay(route: string, latencyMs: number): number {
    let ms = latencyMs;
    for (const rule of this.#rules) if (rule.covers(route)) ms += rule.extraDelay(latencyMs);
    return ms;
  }

  /** Whether the next item of an HTTP batch fails. */
  isItemFailing(route: string): boolean {
    return this.#rules.some((rule) => rule.covers(route) && rule.isItemFailing());
  }

  /** The fault of one JSON-RPC reply. */
  rpcReply(route: string): 'wrongSchema' | 'duplicateReply' | 'unknownIdReply' | 'dropReply' | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.rpcReply() : undefined));
  }

  /** The fault of the message that carries a reply: an HTTP response or a WebSocket message. */
  reply(route: string, transport: Transport): ReplyFault | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.reply(transport) : undefined));
  }
}

function first<T>(rules: readonly Rule[], ask: (rule: Rule) => T | undefined): T | undefined {
  for (const rule of rules) {
    const answer = ask(rule);
    if (answer !== undefined) return answer;
  }
  return undefined;
}
