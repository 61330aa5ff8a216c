/** `dead-letters`: shows the dead letters of a run, by task and reason, and replays their records after a fix. */
import type { Arguments } from './arguments.js';
import { debugOptions, runsFrom, runsOptions, secretOptions, type Command, type CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { here } from './here.js';
import type { LetterGroups } from '../jobs/dead-letters.js';
import type { ReadyRun } from '../jobs/kept-run.js';
import { MillraceError } from '../model/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { counted, grouped, oneLine } from '../text/printable.js';
import { resumeLine } from './resume-line.js';
import { assertForServer, serverFrom, withServer } from './server-client.js';
import { reportFor, reportOptions, stopOptions } from './report-options.js';
import { renderTable } from './table.js';

export const deadLettersCommand: Command = {
  name: 'dead-letters',
  description: 'Count the dead letters of a run by reason; `dead-letters replay <run>` processes their records again',
  words: [
    { name: 'what', describe: 'The id of a run, or replay' },
    { name: 'run', describe: 'The id of the run to replay', isOptional: true },
  ],
  options: {
    ...runsOptions,
    ...withServer('it has the run'),
    ...secretOptions,
    ...reportOptions,
    ...stopOptions,
    ...debugOptions,
  },
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
      args.refuseOptions(REPLAY_ONLY, 'applies only to `dead-letters replay`');
    }
    if (args.text('server') !== undefined) return onServer(args, runId, isReplay);
    const { openRun } = await import('../jobs/kept-runs.js');
    const folder = await openRun(runsFrom(args), runId, here(context));
    if (isReplay) return replay(folder, args, context);
    const { groupLetters } = await import('../jobs/dead-letters.js');
    return show(await groupLetters(folder), runId, args);
  },
};

/** The report options that apply to a replay, and not to the list of dead letters. */
const REPLAY_ONLY = Object.keys({ ...reportOptions, ...stopOptions, ...secretOptions }).filter(
  (name) => !['json', 'no-color'].includes(name),
);

/** Asks a server for the letters, or to replay them. The server chooses the other options of the replay. */
async function onServer(args: Arguments, runId: string, isReplay: boolean): Promise<ExitCode> {
  assertForServer(args, deadLettersCommand.options, isReplay ? [] : ['json', 'no-color']);
  const { runs } = await serverFrom(args);
  if (!isReplay) return show(await runs.deadLetters(runId), runId, args);
  await runs.replay(runId);
  process.stderr.write(`Run ${runId} is queued, and replays its dead letters\n`);
  return EXIT.success;
}

function show({ groups, others }: LetterGroups, runId: string, args: Arguments): ExitCode {
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ groups, others })}\n`);
  else if (groups.length === 0) process.stderr.write(`Run ${runId} has no dead letters\n`);
  else {
    const columns = [
      { title: 'count', align: 'right' },
      { title: 'task' },
      { title: 'code' },
      { title: 'first' },
      { title: 'reason' },
    ] as const;
    const rows = groups.map(({ count, task, code, example, message }) => [
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
  const [{ execute }, { isCarried, reopenRun }, { findReplay }, { assertOptionFiles }] = await Promise.all([
    import('./execute.js'),
    import('../jobs/kept-run.js'),
    import('../jobs/dead-letters.js'),
    import('./output-files.js'),
  ]);
  if (isCarried(folder)) return replayCarried(folder, args, context);
  const place = here(context);
  const found = await findReplay(folder, place, { settings: args.texts('set') });
  if (typeof found === 'string') {
    throw unfinished(
      runId,
      found === 'running' ? IS_RUNNING : `Resume it first: ${resumeLine(runId, args.text('runs'))}`,
    );
  }
  const { job, redo, stay } = found;
  assertOptionFiles(args, job, folder.manifest.deadLetters);
  reportStaying(stay);
  if (redo.length === 0) return nothingToReplay(runId, stay);
  const report = await reportFor(args);
  try {
    const prepare = async (): Promise<ReadyRun> => {
      const ready = await reopenRun(folder, job, place);
      return { ...ready, options: { ...ready.options, redo } };
    };
    return await execute(prepare, args, report, context);
  } finally {
    report.release();
  }
}

const IS_RUNNING = 'Wait for its end';

/** Opens the lanes of a run that Kafka carries again, works on them in this process, and follows all workers. */
async function replayCarried(folder: RunFolder, args: Arguments, context: CommandContext): Promise<ExitCode> {
  const { runId } = folder.manifest;
  const [{ execute }, { replaySpreadRun }, { assertOptionFiles }] = await Promise.all([
    import('./execute.js'),
    import('../jobs/spread/replay-run.js'),
    import('./output-files.js'),
  ]);
  const state = await folder.state();
  if (state === 'running') throw unfinished(runId, IS_RUNNING);
  const found = await replaySpreadRun(folder, runsFrom(args), here(context), { settings: args.texts('set') });
  const { job, begin, reopen } = found;
  assertOptionFiles(args, job, folder.manifest.deadLetters);
  const { replayed, stay, isUnderWay } = await begin();
  reportStaying(stay);
  // The folder of a run whose process died is written again.
  if (replayed === 0 && !isUnderWay && state === 'finished') return nothingToReplay(runId, stay);
  const report = await reportFor(args);
  try {
    const notices = [`Another worker joins with: millrace worker … --run-id ${runId}`];
    return await execute(async () => ({ ...(await reopen()), notices }), args, report, context);
  } finally {
    report.release();
  }
}

function unfinished(runId: string, fix: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `Run ${runId} has not finished, so its dead letters cannot be replayed yet. ${fix}`,
  );
}

function reportStaying(stay: number): void {
  if (stay === 0) return;
  process.stderr.write(
    `${counted(stay, 'dead letter')} cannot be replayed, because an aggregate or another boundary has already emitted its results without them, or a merge behind them may have emitted the same records: run the workflow again for those\n`,
  );
}

function nothingToReplay(runId: string, stay: number): ExitCode {
  process.stderr.write(`Run ${runId} has no dead letters that can be replayed\n`);
  return stay > 0 ? EXIT.deadLetters : EXIT.success;
}
