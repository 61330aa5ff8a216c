/**
 * Works on a run that is spread over several processes: in this process, or in several that it starts.
 *
 * Guarantees: the first signal drains the lanes of this machine and leaves them to other workers; the second one ends
 * the process.
 */
import type { LoadedJob } from '../jobs/load-job.js';
import type { WorkerCommand } from '../jobs/spread/worker-processes.js';
import type { SpreadOptions, WorkerEvent } from '../lanes/index.js';
import { oneLine } from '../text/printable.js';
import type { Arguments } from './arguments.js';
import type { CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { graceMsOf } from './report-options.js';
import { stallFrom } from './spread-options.js';

/** Two signals within this time are one key press, which the terminal has sent to each process. */
const SAME_KEY_PRESS_MS = 100;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

interface Work {
  readonly options: SpreadOptions;
  readonly job: LoadedJob;
  readonly args: Arguments;
  readonly context: CommandContext;
}

/** Works with this number of processes until the run is over. */
export async function work(given: Work, workers: number): Promise<ExitCode> {
  return workers === 1 ? workHere(given) : workInProcesses(given, workers);
}

async function workHere({ options, job, args, context }: Work): Promise<ExitCode> {
  const { startWorker } = await import('../lanes/index.js');
  const graceSeconds = args.wholeNumber('grace', 0, 86_400);
  const say = args.flag('quiet') ? (): void => undefined : printer();
  const worker = startWorker({
    ...options,
    secrets: job.secrets,
    ...stallFrom(args),
    ...(graceSeconds === undefined ? {} : { graceMs: graceSeconds * 1000 }),
    onEvent: (event) => {
      const line = sentenceOf(event);
      if (line !== undefined) say(job.secrets.text(line));
    },
    onNotice: (message) => {
      say(job.secrets.text(message));
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

async function workInProcesses({ options, args }: Work, workers: number): Promise<ExitCode> {
  const [{ WorkerProcesses }, { workerName }] = await Promise.all([
    import('../jobs/spread/worker-processes.js'),
    import('../lanes/internal.js'),
  ]);
  const isQuiet = args.flag('quiet');
  const processes = new WorkerProcesses(commandOf(options.runId, args, args.text('grace'), isQuiet), workers);
  let isStopping = false;
  const release = onSignals((_count, signal) => {
    isStopping = true;
    processes.signal(signal);
  });
  const say = isQuiet ? (): void => undefined : printer();
  processes.watch(({ pid, how }) => {
    if (!isStopping)
      say(`Worker ${workerName(pid)} ${how}. Other workers continue its lanes, after its session if it was killed`);
  });
  try {
    return exitCodeOfWorkers(await processes.codes);
  } finally {
    release();
  }
}

/** The code of a worker that has seen the end of the run; if there is none, the code of a worker that failed. */
function exitCodeOfWorkers(codes: readonly number[]): ExitCode {
  return (codes.find(hasSeenEnd) ?? codes.find((code) => code !== EXIT.signal) ?? EXIT.signal) as ExitCode;
}

function hasSeenEnd(code: number): boolean {
  return code === EXIT.success || code === EXIT.deadLetters;
}

/** The command line of the workers of a run that this process follows. */
export function workerCommand(args: Arguments, runId: string): WorkerCommand {
  return commandOf(runId, args, String(graceMsOf(args) / 1000), true);
}

function commandOf(runId: string, args: Arguments, grace: string | undefined, isQuiet: boolean): WorkerCommand {
  const words = wordsOfWorker(runId, args, grace, isQuiet);
  return {
    file: process.execPath,
    args: [...process.execArgv, process.argv[1] as string, ...words],
    surroundings: { cwd: process.cwd(), env: process.env, stdio: 'inherit' },
    hasSeenEnd,
  };
}

function wordsOfWorker(runId: string, args: Arguments, grace: string | undefined, isQuiet: boolean): string[] {
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
  return `${lane}: ${{ started: 'started', closed: 'completed', 'given-up': 'given up' }[type]}`;
}

/** Prints sentences. A notice that several lanes emit is printed once. */
function printer(): (sentence: string) => void {
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
