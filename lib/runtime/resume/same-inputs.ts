/**
 * The check that the sources of a resumed run would read the same input as before.
 *
 * Guarantees: each changed input is named, in words.
 */
import type { Checkpoint, Json } from '../../model/checkpoint.js';
import { describeValue } from '../../model/errors.js';
import { entry } from '../../text/entry.js';
import { grouped } from '../../text/printable.js';
import { refuseChanges } from '../definition/run-definition.js';

/**
 * Throws MILLRACE_RESUME if a source would read a different input than before. A file is compared by its size and its
 * content, so it may have been touched, moved with its folder, or copied.
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
  // The content of a very large file is not compared. It may have been moved, but its time must be the same.
  if (before.content === undefined || after.content === undefined) return before.changedAt === after.changedAt;
  return before.content === after.content;
}

function factsOf(value: Json | undefined): FileFacts {
  return typeof value === 'object' && value !== null ? (value as FileFacts) : {};
}

function describeInput(source: string, was: Json | undefined, now: Json): string {
  return `the input of '${source}' has changed: ${changeOf(was, now)}`;
}

/** Describes a change: in words for a file, by values for anything else. */
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
  if (typeof value === 'number') return grouped(value);
  return typeof value === 'string' ? value : describeValue(value);
}
