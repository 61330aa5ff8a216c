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
import { partitionOf } from '../../execution/partition-key.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { DurabilityPlan } from '../resume/durability.js';

export function describeDefinition(
  workflow: string,
  plan: GraphPlan,
  declarations: readonly TaskDeclaration[],
  config: unknown,
  durability: DurabilityPlan,
): RunDefinition {
  const known = new Map(declarations.map(({ name, task }) => [name, task]));
  const tasks: Record<string, string> = {};
  const structure: Record<string, string> = {};
  for (const { node, join, inputs } of plan.nodes) {
    const labels = inputs.map(({ label }) => (node.optional?.includes(label) === true ? `${label}?` : label));
    const from = labels.length === 0 ? ruleOf(node) : ` of ${labels.join(', ')} (${join})`;
    const { join: ofJoin, task: ofTask } = durability.of(node.name);
    const kept = [...(ofJoin === 'kept' ? ['join'] : []), ...(ofTask === 'kept' ? ['task'] : [])].join(' and ');
    const place = `${outputsOf(node)}${from}${kept === '' ? '' : `, durable ${kept}`}`;
    const task = known.get(node.name);
    tasks[node.name] = `${task?.kind ?? ''}${place}`;
    structure[node.name] = `${task === undefined ? '' : factsOf(task)}${place}`;
  }
  return { workflow, tasks, structure, config: hashesOf(config) };
}

/** The facts about a task that its progress in a checkpoint depends on. */
function factsOf(task: TaskDeclaration['task']): string {
  const facts = (
    ['expands', 'isDurable', 'hasCommits', 'isRepeatable', 'isDeterministic', 'keepsState'] as const
  ).filter((fact) => task[fact]);
  const format = task.checkpointFormat ?? '';
  return [task.bearing, ...(format === '' ? [] : [format]), ...facts].join(', ');
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
      ? [...changedTasks(was, now), ...changesOf('config key', was.config, now.config, () => 'has another value')]
      : [`it is a run of '${was.workflow}', not of '${now.workflow}'`];
  refuseChanges(runId, changes);
}

/** The tasks that differ in more than the name of their kind, as sentences. */
function changedTasks(was: RunDefinition, now: RunDefinition): string[] {
  const [before, after] = tasksToCompare(was, now);
  return changesOf('task', before, after, (name) => {
    // Two tasks with the same description may differ in a fact that it does not contain.
    const isShown = was.tasks[name] !== now.tasks[name];
    return `was ${(isShown ? was.tasks : before)[name] ?? ''} and is ${(isShown ? now.tasks : after)[name] ?? ''}`;
  });
}

/** The texts to compare, by task. Definitions of earlier versions have no facts, so their descriptions are compared. */
export function tasksToCompare(was: RunDefinition, now: RunDefinition): [TaskTexts, TaskTexts] {
  if (was.structure === undefined || now.structure === undefined) return [was.tasks, now.tasks];
  return [was.structure, now.structure];
}

type TaskTexts = Readonly<Record<string, string>>;

function changesOf(
  what: string,
  was: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
  difference: (key: string) => string,
): string[] {
  return Object.keys({ ...was, ...now }).flatMap((key) => {
    const [before, after] = [was[key], now[key]];
    if (before === after) return [];
    if (before === undefined) return [`${what} '${key}' was added`];
    if (after === undefined) return [`${what} '${key}' was removed`];
    return [`${what} '${key}' ${difference(key)}`];
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
 * 31 bits of murmur2 over the JSON with sorted keys: enough to notice a change, too few to reveal a secret.
 */
function hashOf(value: unknown): string {
  return partitionOf(JSON.stringify([value], sortKeys), 2 ** 31 - 1).toString(16);
}

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
