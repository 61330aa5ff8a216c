/** `dead-letters`: what a run gave up, by task and reason; and, once it is mended, those records again. */
import type { Arguments } from './arguments.js';
import { debugOptions, DEFAULT_RUNS_FOLDER, runsOptions, type Command, type CommandContext } from './command.js';
import type { Execution } from './execute.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { MillraceError } from '../model/errors.js';
import type { DeadLetter } from '../model/ports.js';
import type { RunFolder } from '../storage/run-folder.js';
import { counted, grouped, oneLine } from '../text/printable.js';
import { assertOptionFiles } from './option-files.js';
import { resumeLine } from './resume-line.js';
import { reportFor, reportOptions } from './report-options.js';
import { renderTable } from './table.js';

export const deadLettersCommand: Command = {
  name: 'dead-letters',
  description: 'Show what a run gave up, by reason; `dead-letters replay <run>` does those records again',
  words: [
    { name: 'what', describe: 'The id of a run, or replay' },
    { name: 'run', describe: 'The id of the run to replay', isOptional: true },
  ],
  options: { ...runsOptions, ...reportOptions, ...debugOptions },
  run: async (args, context) => {
    const isReplay = args.word('what') === 'replay';
    const runId = args.word(isReplay ? 'run' : 'what');
    if (runId === '') {
      throw new MillraceError(
        'MILLRACE_USAGE',
        'Expected the id of a run after `dead-letters replay`, got nothing. `runs` lists them',
      );
    }
    if (!isReplay) {
      if (args.word('run') !== '')
        throw new MillraceError('MILLRACE_USAGE', `Expected the id of one run, got '${runId} ${args.word('run')}'`);
      args.refuseOptions(REPLAY_ONLY, 'is for `dead-letters replay`, which runs something');
    }
    const { RunFolder } = await import('../storage/run-folder.js');
    const folder = await RunFolder.open(args.text('runs') ?? DEFAULT_RUNS_FOLDER, runId);
    return isReplay ? replay(folder, args, context) : show(folder, args);
  },
};

/** What is about a run, and not about its letters. */
const REPLAY_ONLY = Object.keys(reportOptions).filter((name) => !['json', 'no-color'].includes(name));

/** Letters with the same task, code and message but for the numbers in it. */
interface Group {
  readonly task: string;
  readonly code: string;
  /** The message of the first. */
  readonly message: string;
  readonly example: string;
  count: number;
}

/** More groups than this are counted as one: reasons that all differ say nothing. */
const MAX_GROUPS = 200;

async function show(folder: RunFolder, args: Arguments): Promise<ExitCode> {
  const groups = new Map<string, Group>();
  let others = 0;
  for await (const letter of lettersOf(folder)) {
    const key = JSON.stringify([letter.task, letter.code, letter.message.replace(/\d+/g, '#')]);
    const group = groups.get(key);
    if (group !== undefined) group.count++;
    else if (groups.size === MAX_GROUPS) others++;
    else groups.set(key, { ...reasonOf(letter), count: 1 });
  }
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count);
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ groups: sorted, others })}\n`);
  else if (sorted.length === 0) process.stderr.write(`Run ${folder.manifest.runId} has no dead letters\n`);
  else {
    const columns = [
      { title: 'count', align: 'right' },
      { title: 'task' },
      { title: 'code' },
      { title: 'first' },
      { title: 'reason' },
    ] as const;
    const rows = sorted.map(({ count, task, code, example, message }) => [
      grouped(count),
      task,
      code,
      example,
      oneLine(message),
    ]);
    for (const line of renderTable(columns, rows, Infinity)) process.stdout.write(`${line}\n`);
    if (others > 0) process.stdout.write(`and ${grouped(others)} for other reasons\n`);
  }
  return EXIT.success;
}

async function replay(folder: RunFolder, args: Arguments, context: CommandContext): Promise<ExitCode> {
  const { runId } = folder.manifest;
  const state = await folder.state();
  if (state !== 'finished') {
    const fix = state === 'running' ? 'Wait for its end' : `Resume it first: ${resumeLine(runId, args.text('runs'))}`;
    throw new MillraceError(
      'MILLRACE_RESUME',
      `Run ${runId} has not finished, so its dead letters cannot be replayed yet. ${fix}`,
    );
  }
  const [{ execute }, { loadAgain, reopenRun }] = await Promise.all([import('./execute.js'), import('./kept-run.js')]);
  const redo: Pick<DeadLetter, 'task' | 'lineage'>[] = [];
  let stay = 0;
  const loaded = await loadAgain(folder);
  assertOptionFiles(args, loaded, folder.manifest.deadLetters);
  const { workflow, config } = loaded;
  const canRedo = workflow.redoable(config);
  for await (const { task, lineage } of lettersOf(folder)) {
    if (canRedo({ task, lineage })) redo.push({ task, lineage });
    else stay++;
  }
  if (stay > 0) {
    process.stderr.write(
      `${counted(stay, 'dead letter')} stand in front of an aggregate or another boundary, whose results were made without them: run the workflow again for those\n`,
    );
  }
  if (redo.length === 0) {
    process.stderr.write(`Run ${runId} has no dead letters that can be replayed\n`);
    return stay > 0 ? EXIT.deadLetters : EXIT.success;
  }
  const report = await reportFor(args);
  try {
    const prepare = async (): Promise<Execution> => {
      const kept = await reopenRun(folder);
      return { ...kept, options: { ...kept.options, redo } };
    };
    return await execute(prepare, args, report, context);
  } finally {
    report.release();
  }
}

async function* lettersOf(folder: RunFolder): AsyncGenerator<DeadLetter> {
  const { readLetters } = await import('../storage/read-letters.js');
  yield* readLetters(folder.manifest.deadLetters ?? folder.file('dead-letters.ndjson'));
}

function reasonOf({ task, code, message, lineage }: DeadLetter): Omit<Group, 'count'> {
  return { task, code, message, example: `${lineage.root}#${lineage.number}` };
}
