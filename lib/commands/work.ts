/**
 * Works on a run that is spread over several processes: in this process, or in several that it starts.
 *
 * Guarantees: the first signal drains the lanes of this machine and leaves them to other workers; the second one ends
 * the process. A process that dies is not replaced: the others take over its lanes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { LoadedJob } from '../jobs/load-job.js';
import type { SpreadOptions, WorkerEvent, WorkerOptions } from '../lanes/index.js';
import { crewOfOne, type Crew, type StartCrew } from '../lanes/internal.js';
import { oneLine } from '../text/printable.js';
import type { Arguments } from './arguments.js';
import type { CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { graceMsOf } from './report-options.js';

/** Two signals within this time are one key press, which the terminal has sent to each process. */
const SAME_KEY_PRESS_MS = 100;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

interface Work {
  readonly options: SpreadOptions;
  readonly job: LoadedJob;
  readonly args: Arguments;
  readonly context: CommandContext;
}

/** The crew of a run that this machine follows: a worker in this process, or several processes. */
export function crewFor(args: Arguments, runId: string, workers: number): StartCrew {
  return (options, parts) =>
    workers === 1
      ? crewOfOne({ ...options, ...stallFrom(args) }, parts)
      : crewOfProcesses(wordsOfWorker(runId, args, true, String(graceMsOf(args) / 1000)), workers);
}

function crewOfProcesses(words: readonly string[], workers: number): Crew {
  const children = startProcesses(words, workers);
  return {
    finished: endOf(children).then((code) =>
      code === EXIT.success || code === EXIT.deadLetters ? 'completed' : 'stopped',
    ),
    stop: () => {
      for (const child of children) child.kill('SIGTERM');
    },
    kill: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/** Works with this number of processes until the run is over. */
export async function work(given: Work, workers: number): Promise<ExitCode> {
  return workers === 1 ? workHere(given) : workInProcesses(given, workers);
}

async function workHere({ options, job, args, context }: Work): Promise<ExitCode> {
  const { startWorker } = await import('../lanes/index.js');
  const graceSeconds = args.wholeNumber('grace', 0, 86_400);
  const say = args.flag('quiet') ? (): void => undefined : told();
  const worker = startWorker({
    ...options,
    secrets: job.secrets,
    ...stallFrom(args),
    ...(graceSeconds === undefined ? {} : { graceMs: graceSeconds * 1000 }),
    onEvent: (event) => {
      const line = sentenceOf(event);
      if (line !== undefined) say(job.secrets.text(line));
    },
  });
  const release = onSignals((count) => {
    if (count === 1) worker.stop();
    else context.exit(EXIT.signal);
  });
  try {
    const { outcome, hasDeadLetters } = await worker.finished;
    if (outcome === 'stopped') {
      say(`Stopped. Other workers of run ${options.runId} go on; so does one that is started again`);
      return EXIT.signal;
    }
    say(`Run ${options.runId} has completed${hasDeadLetters ? ', with dead letters' : ''}`);
    return hasDeadLetters ? EXIT.deadLetters : EXIT.success;
  } catch (error) {
    process.stderr.write(`${explainError(error, args.flag('debug'), context.secrets)}\n`);
    return EXIT.failed;
  } finally {
    release();
  }
}

/** Works in several processes. Resolves with an exit code as `endOf` does. */
async function workInProcesses({ options, args }: Work, workers: number): Promise<ExitCode> {
  const children = startProcesses(wordsOfWorker(options.runId, args, args.flag('quiet')), workers);
  const release = onSignals((_count, signal) => {
    for (const child of children) child.kill(signal);
  });
  try {
    return await endOf(children);
  } finally {
    release();
  }
}

function startProcesses(words: readonly string[], workers: number): readonly ChildProcess[] {
  return [...new Array(workers).keys()].map(() =>
    spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...words], { stdio: 'inherit' }),
  );
}

/** The code of a process that has seen the end of the run; if there is none, the code of a process that failed. */
async function endOf(children: readonly ChildProcess[]): Promise<ExitCode> {
  const codes = await Promise.all(
    children.map(async (child) => ((await once(child, 'exit')) as [number | null])[0] ?? EXIT.failed),
  );
  const done = codes.find((code) => code === EXIT.success || code === EXIT.deadLetters);
  return (done ?? codes.find((code) => code !== EXIT.signal) ?? EXIT.signal) as ExitCode;
}

function stallFrom(args: Arguments): Pick<WorkerOptions, 'stallMs'> {
  const seconds = args.wholeNumber('stall', 1, 86_400);
  return seconds === undefined ? {} : { stallMs: seconds * 1000 };
}

function wordsOfWorker(runId: string, args: Arguments, isQuiet: boolean, grace = args.text('grace')): string[] {
  const workflow = args.word('name-or-file') === '' ? args.text('workflow') : args.word('name-or-file');
  const option = (name: string, text = args.text(name)): string[] => (text === undefined ? [] : [`--${name}`, text]);
  return [
    ...['worker', ...option('workflow', workflow), ...option('run-id', runId), ...option('kafka')],
    ...[...option('partitions'), ...option('config'), ...option('grace', grace), ...option('stall')],
    ...args.texts('set').flatMap((setting) => ['--set', setting]),
    ...(isQuiet ? ['--quiet'] : []),
    ...(args.flag('debug') ? ['--debug'] : []),
  ];
}

function sentenceOf({ type, stage, partition, error, event }: WorkerEvent): string | undefined {
  const lane = `Lane ${partition} of ${stage}`;
  if (type === 'event') return event?.type === 'notice' ? event.message : undefined;
  if (type === 'failed') return `${lane} stopped: ${error instanceof Error ? error.message : String(error)}`;
  return `${lane}: ${{ taken: 'taken', closed: 'completed', 'given-up': 'given up' }[type]}`;
}

/** Prints sentences. A notice that several lanes emit is printed once. */
function told(): (sentence: string) => void {
  const before = new Set<string>();
  return (sentence) => {
    if (before.has(sentence) && !sentence.startsWith('Lane ')) return;
    before.add(sentence);
    process.stderr.write(`${oneLine(sentence)}\n`);
  };
}

function onSignals(listener: (count: number, signal: NodeJS.Signals) => void): () => void {
  let count = 0;
  let at = -Infinity;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (performance.now() - at < SAME_KEY_PRESS_MS) return;
    at = performance.now();
    listener(++count, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
