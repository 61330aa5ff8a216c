/**
 * The process around the command line. `cli.ts` starts it.
 *
 * Guarantees: the process ends with the exit code of the command; a reader that goes away (`| head`) ends it quietly;
 * an error that nothing has caught, and a `process.exit` in code of the user, are reported with their place and with
 * the command that resumes the run; nothing that a workflow left open keeps the process alive.
 */
import { EXIT } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { main } from './main.js';
import { stackLines } from './stack-lines.js';
import { Secrets } from '../text/secrets.js';

/** The time for which resources that a workflow left open may keep the process alive after the end. */
const LINGER_MS = 2000;
/** The same after a signal: a container is killed ten seconds after it. */
const LINGER_AFTER_SIGNAL_MS = 1000;

const words = process.argv.slice(2);
const isDebug = words.includes('--debug');
const output = new AbortController();
const secrets = new Secrets();
let isOver = false;
let isIdle = false;
let lastWords: string | undefined;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (output.signal.aborted) return;
  output.abort();
  if (error.code === 'EPIPE') return;
  process.stderr.write(`MILLRACE_FILE: Cannot write to standard output: ${error.message}\n`);
  process.exitCode = EXIT.failed;
});
// If standard error is closed, there is no place for a message about it.
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error: unknown, origin) => {
  const wasOver = isOver;
  isOver = true;
  const why =
    origin === 'unhandledRejection'
      ? 'This promise was rejected and nothing waited for it, so the process ends. Await it, or catch its error'
      : 'This was thrown outside of the function of a task, so the process ends. Catch it in the timer or listener that throws';
  say(explainError(error, isDebug, secrets));
  say(why);
  if (!isDebug) for (const line of stackLines(error)) say(line);
  if (!wasOver) sayLastWords();
  process.exit(EXIT.failed);
});
process.on('beforeExit', () => {
  isIdle = true;
});
process.on('exit', (code) => {
  if (isOver) return;
  if (isIdle) {
    say(
      'MILLRACE_TASK: The process has nothing left to wait for, but the command is not over. ' +
        'Check the workflow for a promise that never settles',
    );
  } else {
    // This listener runs inside of process.exit, so its stack leads to the caller.
    const here = new Error();
    say(
      `MILLRACE_TASK: Code of the workflow, or of a package that it uses, called process.exit(${code}) before the command was over. ` +
        'Throw an error instead: it ends only its record',
    );
    for (const line of stackLines(here)) say(line);
  }
  sayLastWords();
  process.exitCode = EXIT.failed;
});

const context = {
  outputClosed: output.signal,
  secrets,
  setLastWords: (sentence: string | undefined) => {
    lastWords = sentence;
  },
  exit: (code: number) => {
    isOver = true;
    process.exit(code);
  },
};

void main(words, context).then((code) => {
  isOver = true;
  process.exitCode ??= code;
  // Nothing was run, so no resource of a run needs time to close.
  if (code === EXIT.usage) process.exit();
  setTimeout(
    () => {
      // The streams of the process itself are pipes and terminals too, and keep nothing alive.
      const open = new Set(process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY)Wrap$/.test(name)));
      const names = [...open].join(', ') || 'a pipe';
      process.stderr.write(`The workflow left something open that keeps the process alive (${names}). Ending anyway\n`);
      process.exit();
    },
    code === EXIT.signal ? LINGER_AFTER_SIGNAL_MS : LINGER_MS,
  ).unref();
});

function sayLastWords(): void {
  if (lastWords !== undefined) say(lastWords);
}

function say(line: string): void {
  process.stderr.write(`${secrets.text(line)}\n`);
}
