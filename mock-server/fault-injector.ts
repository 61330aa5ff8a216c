/**
 * Decides which fault meets which request; it never touches a socket. The promise: decisions depend only on the seed
 * and on the order in which requests arrive, each kind drawing from a stream of its own, so that a failing
 * run replays; and everything that fired is counted by kind.
 *
 * Several sets may be in force. Delays add up; of all else the first that fires, in the order of the sets, wins.
 */
import { Rule } from './fault-rule.js';
import type { Refusal, ReplyFault, WireFault } from './fault-rule.js';
import type { ResolvedFaultSet } from './fault-options.js';

export type Transport = 'http' | 'ws';

export class FaultInjector {
  readonly #rules: readonly Rule[];

  /** `fired` is told the kind of every fault that fires. */
  constructor(sets: readonly ResolvedFaultSet[], seed: number, fired: (kind: string) => void) {
    this.#rules = sets.map((set, index) => new Rule(set, set.seed ?? seed, index, fired));
  }

  /** Whether a connection that was just accepted will never be answered. */
  isDeadOnAccept(): boolean {
    return this.#rules.some((rule) => rule.isDeadOnAccept());
  }

  /** What happens to a request before it is worked on. */
  wire(route: string): WireFault | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.wire() : undefined));
  }

  /** Why a request is turned away. Draws limits first, then error rates. */
  refuse(route: string, transport: Transport): Refusal | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.refuse(transport) : undefined));
  }

  /** Takes a place in the concurrency limits; `leave` must follow exactly once, on the same injector. */
  enter(route: string): void {
    for (const rule of this.#rules) if (rule.covers(route)) rule.gate?.enter();
  }

  leave(route: string): void {
    for (const rule of this.#rules) if (rule.covers(route)) rule.gate?.leave();
  }

  /** How long a request that has entered takes, in ms, given the latency it would have had. */
  delay(route: string, latencyMs: number): number {
    let ms = latencyMs;
    for (const rule of this.#rules) if (rule.covers(route)) ms += rule.extraDelay(latencyMs);
    return ms;
  }

  /** Whether the next item of an HTTP batch fails. */
  isItemFailing(route: string): boolean {
    return this.#rules.some((rule) => rule.covers(route) && rule.isItemFailing());
  }

  /** What is wrong with one JSON-RPC reply. */
  rpcReply(route: string): 'wrongSchema' | 'duplicateReply' | 'unknownIdReply' | 'dropReply' | undefined {
    return first(this.#rules, (rule) => (rule.covers(route) ? rule.rpcReply() : undefined));
  }

  /** What is wrong with the message a reply travels in: an HTTP response, or a WebSocket message. */
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
