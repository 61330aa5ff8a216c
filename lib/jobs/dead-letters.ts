/**
 * The dead letters of a kept run: grouped by reason, and those that can be replayed.
 *
 * Guarantees: memory does not grow with the number of letters that cannot be replayed.
 */
import { recordName } from '../model/lineage-id.js';
import type { DeadLetter, LetterHead } from '../model/ports.js';
import { readLetters } from '../storage/read-letters.js';
import type { RunFolder, RunState } from '../storage/run-folder.js';
import { assertNotCarried, loadAgain, type LoadAgainOptions } from './kept-run.js';
import { lettersFileOf } from './kept-runs.js';
import type { LoadedJob } from './load-job.js';
import type { JobPlace } from './place.js';

/** Letters with the same task, code and message, apart from the numbers in the message. */
export interface LetterGroup {
  readonly task: string;
  readonly code: string;
  /** The message of the first letter. */
  readonly message: string;
  /** The first record, as `Root#number`. */
  readonly example: string;
  readonly count: number;
}

export interface LetterGroups {
  /** The groups, largest first. */
  readonly groups: readonly LetterGroup[];
  /** The number of letters in further groups, which are only counted. */
  readonly others: number;
}

/** Letters of further groups are only counted, because a long list of different reasons does not help. */
const MAX_GROUPS = 200;

/** The dead letters of a run, by reason. Throws MILLRACE_FILE for a line that is not a letter. */
export async function groupLetters(folder: RunFolder): Promise<LetterGroups> {
  const groups = new Map<string, LetterGroup & { count: number }>();
  let others = 0;
  for await (const letter of readLetters(lettersFileOf(folder))) {
    const key = keyOf(letter);
    const group = groups.get(key);
    if (group !== undefined) group.count++;
    else if (groups.size === MAX_GROUPS) others++;
    else groups.set(key, { ...reasonOf(letter), count: 1 });
  }
  return { groups: [...groups.values()].sort((a, b) => b.count - a.count), others };
}

/** The letters with the reason of a group, in the order of the file. Throws MILLRACE_FILE as `groupLetters` does. */
export async function* lettersOf(
  folder: RunFolder,
  reason: Pick<LetterGroup, 'task' | 'code' | 'message'>,
): AsyncGenerator<DeadLetter> {
  const key = keyOf(reason);
  for await (const letter of readLetters(lettersFileOf(folder))) if (keyOf(letter) === key) yield letter;
}

/** The plan for a replay of a finished run. */
export interface Replay {
  readonly job: LoadedJob;
  /** The `redo` option of the run. */
  readonly redo: readonly LetterHead[];
  /** The number of letters before an aggregate or another boundary, whose results were made without them. */
  readonly stay: number;
}

/**
 * Finds the dead letters of a finished run that can be replayed. To replay them, call `reopenRun` with the job and
 * `redo`. For a run that has not finished, the result is its state instead. Throws MILLRACE_FILE for a damaged last
 * checkpoint or a line that is not a letter, MILLRACE_RESUME for a run that Kafka carries, and the errors of `loadJob`.
 */
export async function findReplay(
  folder: RunFolder,
  place: JobPlace,
  options: LoadAgainOptions = {},
): Promise<Replay | Exclude<RunState, 'finished'>> {
  assertNotCarried(folder);
  const state = await folder.state();
  if (state !== 'finished') return state;
  const job = await loadAgain(folder, place, options);
  const { checkpoint, damage } = await folder.progress();
  // A replay that began from an older checkpoint would do finished work again, and could leave the run unfinished.
  if (damage !== undefined) throw damage;
  const canRedo = job.prepared.redoable(checkpoint);
  const redo: LetterHead[] = [];
  let stay = 0;
  for await (const { task, lineage } of readLetters(lettersFileOf(folder))) {
    if (canRedo({ task, lineage })) redo.push({ task, lineage });
    else stay++;
  }
  return { job, redo, stay };
}

function keyOf({ task, code, message }: Pick<DeadLetter, 'task' | 'code' | 'message'>): string {
  return JSON.stringify([task, code, message.replace(/\d+/g, '#')]);
}

function reasonOf({ task, code, message, lineage }: DeadLetter): Omit<LetterGroup, 'count'> {
  return { task, code, message, example: recordName(lineage) };
}
