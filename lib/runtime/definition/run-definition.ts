/**
 * The definition of a run as plain data, and the check that a resumed run has the same definition.
 *
 * Guarantees: each change is named, task by task and key by key; the data holds only hashes of the configuration, so no
 * secret is written down. The source text of functions does not count: a mistake in a function may be fixed before the
 * run resumes.
 */
import type { Checkpoint, RunDefinition } from '../../model/checkpoint.js';
import { MillraceError } from '../../model/errors.js';
import type { GraphNode, GraphPlan } from '../../model/graph.js';
import { partitionOf } from '../../execution/partition-hash.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { DurabilityPlan } from '../resume/durability.js';

export function describeDefinition(
  workflow: string,
  plan: GraphPlan,
  declarations: readonly TaskDeclaration[],
  config: unknown,
  durability: DurabilityPlan,
): RunDefinition {
  const kinds = new Map(declarations.map(({ name, task }) => [name, task.kind]));
  const tasks = plan.nodes.map(({ node, join, inputs }) => {
    const labels = inputs.map(({ label }) => (node.optional?.includes(label) === true ? `${label}?` : label));
    const from = labels.length === 0 ? ruleOf(node) : ` of ${labels.join(', ')} (${join})`;
    const { join: ofJoin, task: ofTask } = durability.of(node.name);
    const kept = [...(ofJoin === 'kept' ? ['join'] : []), ...(ofTask === 'kept' ? ['task'] : [])].join(' and ');
    return [
      node.name,
      `${kinds.get(node.name) ?? ''}${outputsOf(node)}${from}${kept === '' ? '' : `, durable ${kept}`}`,
    ];
  });
  return { workflow, tasks: Object.fromEntries(tasks) as Record<string, string>, config: hashesOf(config) };
}

function ruleOf({ after = [], when = 'completed' }: GraphNode): string {
  return after.length === 0 ? '' : ` after ${after.join(', ')} (${when})`;
}

function outputsOf({ outputs = [] }: GraphNode): string {
  return outputs.length === 0 ? '' : ` to ${outputs.join(', ')}`;
}

/** Throws MILLRACE_RESUME if a run with the definition `now` cannot resume from the checkpoint. */
export function assertSameDefinition(from: Checkpoint, now: RunDefinition): void {
  const { definition: was, runId, obstacle } = from;
  if (obstacle !== undefined) refuseChanges(runId, [obstacle]);
  const changes =
    was.workflow === now.workflow
      ? [...changesOf('task', was.tasks, now.tasks, true), ...changesOf('config key', was.config, now.config, false)]
      : [`it is a run of '${was.workflow}', not of '${now.workflow}'`];
  refuseChanges(runId, changes);
}

function changesOf(
  what: string,
  was: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
  showsValues: boolean,
): string[] {
  return Object.keys({ ...was, ...now }).flatMap((key) => {
    const [before, after] = [was[key], now[key]];
    if (before === after) return [];
    if (before === undefined) return [`${what} '${key}' was added`];
    if (after === undefined) return [`${what} '${key}' was removed`];
    return [showsValues ? `${what} '${key}' was ${before} and is ${after}` : `${what} '${key}' has another value`];
  });
}

/** Throws MILLRACE_RESUME if there are changes. */
export function refuseChanges(runId: string, changes: readonly string[]): void {
  if (changes.length === 0) return;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `Run ${runId} cannot be resumed: ${changes.join('; ')}. Undo that, or start a new run`,
  );
}

function hashesOf(config: unknown): Record<string, string> {
  if (typeof config !== 'object' || config === null) return config === undefined ? {} : { config: hashOf(config) };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, hashOf(value)]));
}

/**
 * 31 bits of murmur2 over the JSON with its keys in order: enough to notice a change, too little to reveal a secret.
 */
function hashOf(value: unknown): string {
  return partitionOf(JSON.stringify([value], sortKeys), 2 ** 31 - 1).toString(16);
}

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
