/**
 * `why <run> <key>`: the story of a record. Looks for the key in what the sources read, in the dead letters, and in what
 * was written; a record that left no trace in any of them is told so.
 */
import { debugOptions, DEFAULT_RUNS_FOLDER, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import type { DeadLetter } from '../model/ports.js';
import type { RunFolder } from '../storage/run-folder.js';
import { counted, grouped, oneLine } from '../text/printable.js';
import type { RunSummary } from '../model/run-summary.js';
import { renderTable } from './table.js';

/** More traces than this in one place are only counted. */
const MAX_TRACES = 20;

interface Trace {
  readonly task: string;
  /** ISO 8601, where it is known. */
  readonly at: string;
  /** `Root#number`, where it is known. */
  readonly record: string;
  readonly what: string;
}

export const whyCommand: Command = {
  name: 'why',
  description: "Tell a record's story: where it was read, what became of it, and why",
  words: [
    { name: 'run', describe: 'The id of the run' },
    {
      name: 'key',
      describe: 'A value of the record, such as its id, or its number as a dead letter shows it: Root#12',
    },
  ],
  options: { ...runsOptions, json: { type: 'boolean', describe: 'Print JSON' }, ...debugOptions },
  run: async (args) => {
    const { RunFolder } = await import('../storage/run-folder.js');
    const folder = await RunFolder.open(args.text('runs') ?? DEFAULT_RUNS_FOLDER, args.word('run'));
    const key = args.word('key');
    const traces = await storyOf(folder, key);
    if (args.flag('json')) process.stdout.write(`${JSON.stringify(traces)}\n`);
    else if (traces.length > 0) {
      const columns = [{ title: 'task' }, { title: 'when' }, { title: 'record' }, { title: 'what' }] as const;
      const rows = traces.map(({ task, at, record, what }) => [task, at, record, oneLine(what)]);
      for (const line of renderTable(columns, rows, Infinity)) process.stdout.write(`${line}\n`);
    }
    if (traces.length === 0) process.stderr.write(`${await absenceOf(folder, key)}\n`);
    return traces.length > 0 ? EXIT.success : EXIT.failed;
  },
};

/** In the order of the graph. */
async function storyOf(folder: RunFolder, key: string): Promise<Trace[]> {
  const { loadAgain } = await import('./kept-run.js');
  const { workflow, config } = await loadAgain(folder);
  const letters = await lettersAbout(folder, key);
  const traces: Trace[] = [];
  let hasEnd = false;
  for (const { name, task } of workflow.plan(config).declarations) {
    const found: Trace[] = [];
    let more = 0;
    let own = letters.get(name) ?? [];
    for await (const { where, what, lineage, isOver } of task.find(key)) {
      if (isOver === true || task.bearing !== 'source') hasEnd = true;
      if (found.length === MAX_TRACES) {
        more++;
        continue;
      }
      const record = lineage === undefined ? '' : `${name}#${lineage}`;
      // What a source gave up stands in its place and as a dead letter: that is one thing.
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

/** Where a record that was read and not seen again may have ended: tasks that skipped some. */
async function skipsOf(folder: RunFolder): Promise<Trace[]> {
  const summary = (await folder.summary()) as Partial<RunSummary> | undefined;
  return Object.entries(summary?.tasks ?? {}).flatMap(([task, { kind, skipped, skipReasons }]) => {
    if (skipped === 0 || kind.endsWith('source')) return [];
    const reasons = Object.entries(skipReasons).map(([reason, count]) => `${reason} (${grouped(count)})`);
    const what = `skipped ${counted(skipped, 'record')}, for: ${reasons.join(', ')}; it may be one of them, which is not kept`;
    return [{ task, at: '', record: '', what }];
  });
}

async function lettersAbout(folder: RunFolder, key: string): Promise<Map<string, Trace[]>> {
  const { readLetters } = await import('../storage/read-letters.js');
  const traces = new Map<string, Trace[]>();
  for await (const letter of readLetters(folder.manifest.deadLetters ?? folder.file('dead-letters.ndjson'))) {
    const { task, lineage, lastAt } = letter;
    const record = `${lineage.root}#${lineage.number}`;
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

/** Whether a value is somewhere in what JSON gave back. */
function holdsValue(record: unknown, key: string): boolean {
  if (typeof record !== 'object' || record === null) return String(record) === key;
  return Object.values(record).some((value) => holdsValue(value, key));
}

async function absenceOf(folder: RunFolder, key: string): Promise<string> {
  const state = await folder.state();
  const yet = state === 'finished' ? '' : ' The run has not finished: it may still come.';
  return `Nothing that run ${folder.manifest.runId} read, gave up or wrote holds '${key}'.${yet}`;
}
