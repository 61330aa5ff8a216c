/**
 * The story of one record of a kept run: the places where it was read, given up and written.
 *
 * Guarantees: each place shows at most 20 traces and counts the others; no task runs and nothing is written.
 */
import { recordName } from '../model/lineage-id.js';
import type { DeadLetter } from '../model/ports.js';
import type { RunSummary } from '../model/run-summary.js';
import { readLetters } from '../storage/read-letters.js';
import type { RunFolder } from '../storage/run-folder.js';
import { counted, grouped } from '../text/printable.js';
import { loadAgain } from './kept-run.js';
import { lettersFileOf } from './kept-runs.js';
import type { JobPlace } from './place.js';

/** The most traces to show for one place; further ones are only counted. */
const MAX_TRACES = 20;

/** One trace of a record. */
export interface Trace {
  readonly task: string;
  /** ISO 8601; '' if it is not known. */
  readonly at: string;
  /** `Root#number`; '' if it is not known. */
  readonly record: string;
  readonly what: string;
}

/**
 * The traces of the record with this key, in the order of the graph. The key is a value of the record, or its number as
 * `Root#12`. `settings` are as for `loadAgain`. Empty if no record that the run read, gave up or wrote holds the key.
 * Throws the errors of `loadAgain`, and MILLRACE_FILE for a dead letter that cannot be read.
 */
export async function storyOfRecord(
  folder: RunFolder,
  key: string,
  place: JobPlace,
  settings: readonly string[] = [],
): Promise<readonly Trace[]> {
  // The names of files may depend on the start time, so it comes from the manifest: a broken checkpoint must not hide
  // the story.
  const { prepared } = await loadAgain(folder, place, { startedAt: folder.manifest.createdAt, settings });
  const letters = await lettersAbout(folder, key);
  const traces: Trace[] = [];
  let hasEnd = false;
  for (const { name, task } of prepared.declarations) {
    const found: Trace[] = [];
    let more = 0;
    let own = letters.get(name) ?? [];
    for await (const { where, what, partition = 0, lineage, isOver } of task.find(key)) {
      if (isOver === true || task.bearing !== 'source') hasEnd = true;
      if (found.length === MAX_TRACES) {
        more++;
        continue;
      }
      const record = lineage === undefined ? '' : recordName({ root: name, partition, number: lineage });
      // A record that a source gave up is in the output of that source and in a dead letter: show it once.
      const letter = own.find((one) => one.record === record);
      own = own.filter((one) => one !== letter);
      found.push({ task: name, at: letter?.at ?? '', record, what: `${where}: ${what}` });
    }
    if (letters.has(name)) hasEnd = true;
    traces.push(...found, ...own);
    if (more > 0) traces.push({ task: name, at: '', record: '', what: `and ${counted(more, 'place')} more` });
  }
  return traces.length === 0 || hasEnd ? traces : [...traces, ...(await skipsOf(folder))];
}

/** Tasks that skipped records: a record that was read and has no later trace may have ended there. */
async function skipsOf(folder: RunFolder): Promise<Trace[]> {
  const summary = (await folder.summary()) as Partial<RunSummary> | undefined;
  return Object.entries(summary?.tasks ?? {}).flatMap(([task, { dependencies, skipped, skipReasons }]) => {
    // A record that a source skipped was never read.
    if (skipped === 0 || dependencies.length === 0) return [];
    const reasons = Object.entries(skipReasons).map(([reason, count]) => `${reason} (${grouped(count)})`);
    const what = `skipped ${counted(skipped, 'record')}, for: ${reasons.join(', ')}; it may be one of them, which is not kept`;
    return [{ task, at: '', record: '', what }];
  });
}

async function lettersAbout(folder: RunFolder, key: string): Promise<Map<string, Trace[]>> {
  const traces = new Map<string, Trace[]>();
  for await (const letter of readLetters(lettersFileOf(folder))) {
    const { task, lineage, lastAt } = letter;
    const record = recordName(lineage);
    if (record !== key && !holdsValue(letter.record, key)) continue;
    const list = traces.get(task) ?? [];
    if (list.length < MAX_TRACES) list.push({ task, at: new Date(lastAt).toISOString(), record, what: gaveUp(letter) });
    traces.set(task, list);
  }
  return traces;
}

function gaveUp({ attempts, code, message, firstAt, lastAt }: DeadLetter): string {
  const span = attempts > 1 ? `, ${lastAt - firstAt} ms after the first` : '';
  return `given up after ${counted(attempts, 'attempt')}${span}: ${code}: ${message}`;
}

/** True if the parsed JSON contains the key, at any depth. */
function holdsValue(record: unknown, key: string): boolean {
  if (typeof record !== 'object' || record === null) return String(record) === key;
  return Object.values(record).some((value) => holdsValue(value, key));
}
