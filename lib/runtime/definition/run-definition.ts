/**
 * The definition of a run as plain data, and the check that a resumed run has the same definition.
 *
 * Guarantees: each change is named, task by task and key by key; the data holds only hashes of the configuration, so no
 * secret is written down. The source text of functions does not count: a mistake in a function may be fixed before the
 * run resumes.
 */
import type { Checkpoint, Json, RunDefinition } from '../../model/checkpoint.js';
import { describeValue, MillraceError } from '../../model/errors.js';
import type { GraphPlan } from '../../model/graph.js';
import { partitionOf } from '../../execution/partition-hash.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { DurabilityPlan } from '../resume/durability.js';
import { entry } from '../../text/entry.js';
import { grouped } from '../../text/printable.js';

export function describeDefinition(
  workflow: string,
  plan: GraphPlan,
  declarations: readonly TaskDeclaration[],
  config: unknown,
  durability: DurabilityPlan,
): RunDefinition {
  const kinds = new Map(declarations.map(({ name, task }) => [name, task.kind]));
  const tasks = plan.nodes.map(({ node, join }) => {
    const from = node.dependencies.length === 0 ? '' : ` of ${node.dependencies.join(', ')} (${join})`;
    const { join: ofJoin, task: ofTask } = durability.of(node.name);
    const kept = [...(ofJoin === 'kept' ? ['join'] : []), ...(ofTask === 'kept' ? ['task'] : [])].join(' and ');
    return [node.name, `${kinds.get(node.name) ?? ''}${from}${kept === '' ? '' : `, durable ${kept}`}`];
  });
  return { workflow, tasks: Object.fromEntries(tasks) as Record<string, string>, config: hashesOf(config) };
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

/**
 * Throws MILLRACE_RESUME if a source would read a different input than before. A file that was only touched, moved with its
 * folder, or copied is the same input: its size and its content decide.
 */
export function assertSameInputs(from: Checkpoint, now: Readonly<Record<string, Json>>): void {
  const changes = Object.entries(now).flatMap(([source, input]) => {
    const was = entry(from.inputs, source);
    return isSameInput(was, input) ? [] : [describeInput(source, was, input)];
  });
  refuseChanges(from.runId, changes);
}

/** The facts about an input file, as `identifyFile` returns them. */
type FileFacts = Partial<Record<'path' | 'size' | 'changedAt' | 'prefix' | 'content', Json>>;

function isSameInput(was: Json | undefined, now: Json): boolean {
  if (JSON.stringify(was) === JSON.stringify(now)) return true;
  const [before, after] = [factsOf(was), factsOf(now)];
  if (before.size === undefined || before.size !== after.size || before.prefix !== after.prefix) return false;
  // Only the content of a very large file is not compared. It may have moved, but not have been written.
  if (before.content === undefined || after.content === undefined) return before.changedAt === after.changedAt;
  return before.content === after.content;
}

function factsOf(value: Json | undefined): FileFacts {
  return typeof value === 'object' && value !== null ? (value as FileFacts) : {};
}

function describeInput(source: string, was: Json | undefined, now: Json): string {
  return `the input of '${source}' has changed: ${changeOf(was, now)}`;
}

/** In words for a file, and in values for anything else. */
function changeOf(was: Json | undefined, now: Json): string {
  const [before, after] = [factsOf(was), factsOf(now)];
  if (before.size !== undefined && now === null) return `${textOf(before.path)} cannot be read any more`;
  if (before.size !== undefined && after.size !== undefined) {
    if (before.size !== after.size) return `it had ${textOf(before.size)} bytes, and has ${textOf(after.size)}`;
    const wasWritten = typeof after.changedAt === 'number' && after.changedAt !== before.changedAt;
    const when = wasWritten ? `, and was written ${new Date(after.changedAt as number).toISOString()}` : '';
    return `it has the same size and other content${when}`;
  }
  const fields = (value: Json | undefined): Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : { it: value };
  const [old, present] = [fields(was), fields(now)];
  const keys = Object.keys({ ...old, ...present }).filter(
    (key) => JSON.stringify(old[key]) !== JSON.stringify(present[key]),
  );
  return keys.map((key) => `${key} was ${describeValue(old[key])}, and is ${describeValue(present[key])}`).join(', ');
}

function textOf(value: Json | undefined): string {
  return typeof value === 'number' ? grouped(value) : String(value);
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

function refuseChanges(runId: string, changes: readonly string[]): void {
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
