/** One run from its start to its exit code, told as it happens; kept in its folder where it has one. */
import type { Arguments } from './arguments.js';
import type { CommandContext, Loaded } from './command.js';
import { commandName, resumeLine } from './resume-line.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.js';
import { explainError } from './explain-error.js';
import type { Report } from './report.js';
import { watchersFor, type RunWatchers } from './run-watchers.js';
import { stopOnSignals } from './stop-on-signals.js';
import { codeOf } from '../model/errors.js';
import { relative } from 'node:path';
import { inspect } from 'node:util';
import { printable } from '../text/printable.js';
import { writeFile } from 'node:fs/promises';
import type { RunSummary } from '../model/run-summary.js';
import type { Run } from '../runtime/run/run.js';
import type { RunOptions } from '../runtime/definition/run-options.js';
import type { RunFolder } from '../storage/run-folder.js';

export interface Execution extends Loaded {
  readonly options: RunOptions;
  readonly folder?: RunFolder | undefined;
}

/** What watches the run is opened before `prepare` makes a folder for it: where that fails, nothing was run or kept. */
export async function execute(
  prepare: () => Promise<Execution>,
  args: Arguments,
  report: Report,
  context: CommandContext,
): Promise<ExitCode> {
  const watchers = await watchersFor(args);
  try {
    return await follow(await prepare(), { args, report, context, watchers });
  } finally {
    await watchers.end();
  }
}

interface Surroundings {
  readonly args: Arguments;
  readonly report: Report;
  readonly context: CommandContext;
  readonly watchers: RunWatchers;
}

async function follow(
  { workflow, config, options, folder }: Execution,
  { args, report, context, watchers }: Surroundings,
): Promise<ExitCode> {
  let run: Run;
  try {
    run = workflow.run(config, { ...options, signal: context.outputClosed });
  } catch (error) {
    await folder?.undo();
    throw error;
  }
  // In the turn the run was made: no event may be missed, and no signal may find nobody who listens.
  watchers.start(run, folder);
  report.start(run, workflow.name);
  const release = stopOnSignals(run, report);
  try {
    const summary = await run.finished;
    await folder?.end(summary);
    report.end(summary);
    if (summary.outcome === 'completed') tellWhereItIs({ workflow, config, options, folder }, summary, args);
    tellHowToGoOn(summary, folder, args);
    return exitCodeOf(summary);
  } catch (error) {
    const { summary } = error as { summary?: RunSummary };
    const isBrokenLaw = codeOf(error) === 'MILLRACE_CONSERVATION';
    if (isBrokenLaw && folder !== undefined) await reportBrokenLaw(folder, error);
    await folder?.end(summary);
    if (summary !== undefined) report.end(summary);
    report.release();
    process.stderr.write(`${explainError(error, args.flag('debug'))}\n`);
    tellHowToGoOn(summary, folder, args);
    return isBrokenLaw ? EXIT.brokenLaw : EXIT.failed;
  } finally {
    release();
  }
}

/** What a user asks next: where the result is, and what the run is called. */
function tellWhereItIs({ workflow, config, folder }: Execution, summary: RunSummary, args: Arguments): void {
  if (args.flag('json') || args.flag('quiet')) return;
  const { declarations } = workflow.plan(config);
  const written = declarations
    .flatMap(({ task }) => task.files())
    .filter(({ use, onTheWayTo }) => use === 'write' && onTheWayTo === undefined)
    .map(({ path }) => relative('.', path));
  if (written.length > 0) process.stderr.write(`Wrote ${written.map(printable).join(', ')}\n`);
  if (folder === undefined) return;
  const { runId } = folder.manifest;
  const place = args.text('runs') === undefined ? '' : ` --runs ${args.text('runs') ?? ''}`;
  const letters = summary.deadLettered + (summary.lettersBefore ?? 0);
  const next = letters > 0 ? 'dead-letters' : 'runs show';
  process.stderr.write(`Run ${runId}: see ${commandName()} ${next} ${runId}${place}\n`);
}

function tellHowToGoOn(summary: RunSummary | undefined, folder: RunFolder | undefined, args: Arguments): void {
  if (folder === undefined || summary === undefined || summary.outcome === 'completed' || args.flag('json')) return;
  process.stderr.write(`To go on with it: ${resumeLine(folder.manifest.runId, args.text('runs'))}\n`);
}

/** Everything that helps to find the mistake of millrace, or of a task, that a broken law is. */
async function reportBrokenLaw(folder: RunFolder, error: unknown): Promise<void> {
  const path = folder.file('broken-law.json');
  const details = { error: inspect(error, { depth: 6 }), ...(error as { summary?: object }), node: process.version };
  await writeFile(path, `${JSON.stringify(details, null, 2)}\n`);
  process.stderr.write(`A law of the engine broke; the details are in ${path}\n`);
}
