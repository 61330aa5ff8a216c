/**
 * `run --watch`: runs the workflow again when one of its source or input files changes.
 *
 * Guarantees: each run has its own process, so that it loads the current modules; the current run is cancelled and has
 * ended before the next one starts; changes during a run are not missed; a signal ends the run, and then the command.
 * The terminal sends a Ctrl-C to both processes; it is counted once.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { relative } from 'node:path';
import type { JobPlace } from '../jobs/place.js';
import { Waiter } from '../model/awaitable.js';
import { EXIT, EXIT_CODES, type ExitCode } from './exit-codes.js';
import { FileChanges } from './file-changes.js';
import { sourceFilesOf, type RequestedFiles } from '../jobs/workflows/source-files.js';
import { PRESSES, STOP, WATCHED, type WatchedFiles } from './watched-run.js';
import { counted, printable } from '../text/printable.js';

/** The time after which a cancelled run that has not ended is killed. */
const MAX_STOP_MS = 10_000;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Options of `rerunOnChange`: how to start each run, and where to print messages. */
export interface RerunOptions {
  readonly request: RequestedFiles;
  readonly place: JobPlace;
  /** The command line of each run, without node and script. */
  readonly words: readonly string[];
  readonly say: (sentence: string) => void;
}

/** Runs and watches until a signal comes or, if there is nothing to watch, until the first run has ended. */
export async function rerunOnChange({ request, place, words, say }: RerunOptions): Promise<ExitCode> {
  let child: ChildProcess | undefined;
  let kill: NodeJS.Timeout | undefined;
  let changed: readonly string[] = [];
  let isStopped = false;
  let presses = 0;
  const waiter = new Waiter();

  const changes = new FileChanges((paths) => {
    changed = [...new Set([...changed, ...paths])];
    const running = child;
    if (running?.connected === true) {
      running.send(STOP);
      kill ??= setTimeout(() => running.kill('SIGKILL'), MAX_STOP_MS);
    }
    waiter.wake();
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    isStopped = true;
    presses++;
    // A message instead of a signal, because the run may have received the signal from the terminal, and counts it
    // once. The third key press kills the run.
    if (presses > 2 || child?.connected !== true) child?.kill(presses > 2 ? 'SIGKILL' : signal);
    else child.send({ [PRESSES]: presses, signal });
    waiter.wake();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);

  const runOnce = async (): Promise<ExitCode> => {
    const started = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...words], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [WATCHED]: '1' },
    });
    child = started;
    started.on('message', (message) => {
      changes.add((message as WatchedFiles).files);
    });
    return new Promise((resolve) => {
      const end = (code: number | null): void => {
        clearTimeout(kill);
        child = kill = undefined;
        resolve(EXIT_CODES.find((one) => one.code === code)?.code ?? EXIT.failed);
      };
      started.once('exit', end);
      // A process that could not start does not exit either.
      started.once('error', () => {
        if (started.pid === undefined) end(null);
      });
    });
  };

  try {
    for (;;) {
      changes.add(sourceFilesOf(request, place));
      changed = [];
      const code = await runOnce();
      if (changes.size === 0) return code;
      if (hasEnded()) return EXIT.signal;
      if (changed.length === 0) {
        say(`Watching ${counted(changes.size, 'file')}: a change runs the workflow again, Ctrl-C ends`);
        await waiter.wait();
      }
      if (hasEnded()) return EXIT.signal;
      const [first = '', ...others] = changed.map((path) => printable(relative('.', path)));
      say(`Running again: ${first}${others.length > 0 ? ` and ${counted(others.length, 'other file')}` : ''} changed`);
    }
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    changes.close();
    clearTimeout(kill);
  }

  // A function, because TypeScript does not expect a variable to change across an await.
  function hasEnded(): boolean {
    return isStopped;
  }
}
