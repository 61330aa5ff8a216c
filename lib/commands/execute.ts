/** Executes one run from its start to its exit code, and reports it meanwhile. */
import type { Arguments } from './arguments.js';
import type { CommandContext } from './command.js';
import { commandName, resumeLine } from './resume-line.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { here } from './here.js';
import type { Report } from './report.js';
import { graceMsOf } from './report-options.js';
import { stopOnSignals } from './stop-on-signals.js';
import { watchOptionsFrom } from './watchers.js';
import { isCarried, settingsToGive, type ReadyRun } from '../jobs/kept-run.js';
import { filesWrittenBy } from '../jobs/load-job.js';
import { runJob } from '../jobs/run-job.js';
import { watchersFor, type RunWatchers } from '../jobs/watch-run.js';
import { codeOf, fieldOf } from '../model/errors.js';
import { isStandardOutput } from '../storage/result-place.js';
import { systemCodeOf } from '../storage/file-errors.js';
import { oneLine, printable } from '../text/printable.js';
import type { RunSummary } from '../model/run-summary.js';
import type { RunFolder } from '../storage/run-folder.js';

/** Opens the watchers before `prepare` creates a folder for the run: if a watcher fails, nothing was run or kept. */
export async function execute(
  prepare: () => Promise<ReadyRun>,
  args: Arguments,
  report: Report,
  context: CommandContext,
): Promise<ExitCode> {
  const watchers = await watchersFor(watchOptionsFrom(args), here(context));
  try {
    return await follow(await prepare(), { args, report, context, watchers });
  } finally {
    for (const error of await watchers.end()) {
      process.stderr.write(`${explainError(error, args.flag('debug'), context.secrets)}\n`);
    }
  }
}

interface Surroundings {
  readonly args: Arguments;
  readonly report: Report;
  readonly context: CommandContext;
  readonly watchers: RunWatchers;
}

async function follow(ready: ReadyRun, { args, report, context, watchers }: Surroundings): Promise<ExitCode> {
  const { job, folder } = ready;
  if (folder !== undefined) context.setLastWords(resumeSentence(folder, args));
  let release: (() => void) | undefined;
  // If this incarnation cannot restore the run, the next one cannot either.
  let hasBegun = ready.options.resumeFrom === undefined;
  try {
    const { summary, failure, brokenLawFile } = await runJob(
      ready,
      here(context),
      (run) => {
        // In the turn in which the run was created: no event may be missed, and each signal must find a listener.
        watchers.start(run, folder);
        report.start(run, job.prepared.name);
        run.events$.subscribe(({ type }) => {
          if (type === 'resumed') hasBegun = true;
        });
        release = stopOnSignals(run, report, {
          graceMs: graceMsOf(args),
          onStuck: () => {
            endStuck(folder, { args, report, context, watchers });
          },
        });
      },
      { signal: context.outputClosed },
    );
    if (brokenLawFile !== undefined) {
      process.stderr.write(`A law of the engine broke; the details are in ${brokenLawFile}\n`);
    }
    // A reader of the results that has gone wants no more output. As with a reader of the report, this is not a
    // failure.
    if (failure !== undefined && outputHasGone(failure.error, ready)) {
      report.release();
      return EXIT.signal;
    }
    if (summary !== undefined) report.end(summary);
    if (failure !== undefined) {
      report.release();
      process.stderr.write(`${explainError(failure.error, args.flag('debug'), context.secrets)}\n`);
    } else if (summary?.outcome === 'completed') printWhereItIs(ready, summary, args);
    const isOver = summary?.outcome === 'completed' && failure === undefined;
    // A spread run whose topics are gone is not continued either.
    const isRefused = failure !== undefined && codeOf(failure.error) === 'MILLRACE_RESUME';
    if (!isOver) await printNextStep(summary, folder, args, failure === undefined || (hasBegun && !isRefused));
    if (failure !== undefined) return isBrokenLaw(failure.error) ? EXIT.brokenLaw : EXIT.failed;
    return summary === undefined ? EXIT.failed : exitCodeOf(summary);
  } finally {
    release?.();
    context.setLastWords(undefined);
  }
}

/** Ends the process of a run that was aborted and does not end. Its last checkpoint is complete. */
function endStuck(folder: RunFolder | undefined, { args, report, context }: Surroundings): void {
  report.release();
  const fact = 'The run was aborted, and something in it does not end. The process ends without it';
  process.stderr.write(`${fact}\n`);
  if (folder !== undefined) process.stderr.write(`${resumeSentence(folder, args)}\n`);
  context.exit(EXIT.signal);
}

function resumeSentence(folder: RunFolder, args: Arguments): string {
  if (isCarried(folder)) {
    return `To continue it: run the workflow again with --kafka and --run-id ${folder.manifest.runId}. Workers of the run on other machines go on`;
  }
  const settings = settingsToGive(folder).map((key) => ` --set ${key}=…`);
  return `To resume it: ${resumeLine(folder.manifest.runId, args.text('runs'))}${settings.join('')}`;
}

function isBrokenLaw(error: unknown): boolean {
  return codeOf(error) === 'MILLRACE_CONSERVATION';
}

/** Prints the paths of the results and the id of the run. */
function printWhereItIs({ job, folder }: ReadyRun, summary: RunSummary, args: Arguments): void {
  if (args.flag('json') || args.flag('quiet')) return;
  const written = filesWrittenBy(job);
  if (written.length > 0) process.stderr.write(`Wrote ${written.map(printable).join(', ')}\n`);
  if (folder === undefined) return;
  const { runId } = folder.manifest;
  const place = args.text('runs') === undefined ? '' : ` --runs ${args.text('runs') ?? ''}`;
  const letters = summary.deadLettered + (summary.lettersBefore ?? 0);
  const next = letters > 0 ? 'dead-letters' : 'runs show';
  process.stderr.write(`Run ${runId}: see ${commandName()} ${next} ${runId}${place}\n`);
}

/**
 * Prints the command that continues the run, or the reason why it cannot continue. `mayGoOn` is false if the run could
 * not be restored, which its error explains.
 */
async function printNextStep(
  summary: RunSummary | undefined,
  folder: RunFolder | undefined,
  args: Arguments,
  mayGoOn: boolean,
): Promise<void> {
  if (folder === undefined || summary === undefined || args.flag('json') || !mayGoOn) return;
  const obstacle = (await folder.checkpoint().catch(() => undefined))?.obstacle;
  const sentence = obstacle === undefined ? resumeSentence(folder, args) : `It cannot be resumed: ${oneLine(obstacle)}`;
  process.stderr.write(`${sentence}\n`);
}

/** Whether a sink has failed because the reader of its standard output has gone, as in `| head`. */
function outputHasGone(error: unknown, { job }: ReadyRun): boolean {
  for (
    let at: unknown = error, depth = 0;
    at !== undefined && depth < MOST_CAUSES;
    at = fieldOf(at, 'cause'), depth++
  ) {
    if (systemCodeOf(at) === 'EPIPE') return filesWrittenBy(job).some(isStandardOutput);
  }
  return false;
}

const MOST_CAUSES = 5;
