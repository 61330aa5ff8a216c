/**
 * The triggers of the workflows, each with its problem if it has one. Pure.
 *
 * Guarantees: triggers by which workflows would start each other in a circle start no run; a webhook without a secret
 * accepts no message.
 */
import type { Json } from '../../model/json.js';
import type { Trigger } from '../../model/trigger.js';
import { entry } from '../../text/entry.js';
import { keyOf } from './signature.js';

export interface KnownTrigger {
  /** `<workflow>/<name>`. */
  readonly id: string;
  readonly workflow: string;
  readonly name: string;
  readonly trigger: Trigger;
  /** Its problem, in one sentence; '' if there is none. A trigger with a problem starts no run. */
  readonly problem: string;
}

/** An event at which a trigger has asked for a run. Plain data. */
export interface StoredDelivery {
  /** `<workflow>/<name>`. */
  readonly trigger: string;
  /** Names the event, so that it starts one run, also if it is seen several times. */
  readonly key: string;
  /** The id of the message, the path of the file, or the id of the run that has ended. */
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly runId: string;
}

/** The part of a workflow that has triggers. */
export interface Triggered {
  readonly name: string;
  readonly triggers: Readonly<Record<string, Trigger>>;
}

const SHORTEST_SECRET = 16;

/** @param environment the environment of the server, with the secrets. */
export function knownTriggers(
  workflows: readonly Triggered[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly KnownTrigger[] {
  const names = new Set(workflows.map(({ name }) => name));
  const next = new Map(workflows.map(({ name, triggers }) => [name, upstreamOf(triggers)]));
  return workflows.flatMap(({ name: workflow, triggers }) =>
    Object.entries(triggers).map(([name, trigger]) => {
      const problem = problemOf(workflow, trigger, names, next, environment);
      return { id: `${workflow}/${name}`, workflow, name, trigger, problem };
    }),
  );
}

/** The kind of a trigger in one word. */
export function kindOf(trigger: Trigger): 'webhook' | 'file' | 'workflow' {
  if ('webhook' in trigger) return 'webhook';
  return 'files' in trigger ? 'file' : 'workflow';
}

/** Whether a run that has ended in this state is an event for a trigger. */
export function firesAfter(state: string, when: 'completed' | 'failed' | 'ended' = 'completed'): boolean {
  const hasFailed = state === 'failed' || state === 'interrupted';
  return (state === 'completed' && when !== 'failed') || (hasFailed && when !== 'completed');
}

/**
 * The value at a JSON Pointer (RFC 6901); undefined if there is none. Only members of the message itself are found.
 */
export function atPointer(body: Json, pointer: string): Json | undefined {
  let value: Json | undefined = body;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replace(/~1/g, '/').replace(/~0/g, '~');
    if (typeof value !== 'object' || value === null) return undefined;
    value = entry(value as Readonly<Record<string, Json>>, key);
  }
  return value;
}

function upstreamOf(triggers: Readonly<Record<string, Trigger>>): readonly string[] {
  return Object.values(triggers).flatMap((trigger) => ('after' in trigger ? [trigger.after] : []));
}

function problemOf(
  workflow: string,
  trigger: Trigger,
  names: ReadonlySet<string>,
  upstream: ReadonlyMap<string, readonly string[]>,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if ('webhook' in trigger) {
    const secret = environment[trigger.webhook] ?? '';
    if (secret === '') return `The environment variable ${trigger.webhook} of the server, with the secret, is not set`;
    const isShort = keyOf(secret).length < SHORTEST_SECRET;
    return isShort ? `The secret in ${trigger.webhook} has fewer than ${SHORTEST_SECRET} bytes` : '';
  }
  if (!('after' in trigger)) return '';
  if (!names.has(trigger.after)) return `There is no workflow '${trigger.after}'`;
  return leadsTo(trigger.after, workflow, upstream)
    ? `'${workflow}' and '${trigger.after}' start each other in a circle`
    : '';
}

/** Whether `from` is `to`, or is started by `to`, directly or through other workflows. */
function leadsTo(from: string, to: string, upstream: ReadonlyMap<string, readonly string[]>): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(upstream.get(name) ?? []));
  }
  return false;
}
