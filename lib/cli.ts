#!/usr/bin/env node
/**
 * The executable: the process around the command line. Promises: it ends with the exit code of the command; a reader that
 * goes away (`| head`) ends it quietly; what nobody caught is one sentence; nothing a workflow left open keeps it alive.
 */
import { EXIT } from './commands/exit-codes.js';
import { explainError } from './commands/explain-error.js';
import { main } from './commands/main.js';

/** How long what a workflow left open may keep the process after the end. */
const LINGER_MS = 2000;

const words = process.argv.slice(2);
const isDebug = words.includes('--debug');
const output = new AbortController();
let isOver = false;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (output.signal.aborted) return;
  output.abort();
  if (error.code === 'EPIPE') return;
  process.stderr.write(`MILLRACE_FILE: Cannot write to standard output: ${error.message}\n`);
  process.exitCode = EXIT.failed;
});
// Where messages cannot be written there is nobody to tell.
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error: unknown) => {
  isOver = true;
  process.stderr.write(`${explainError(error, isDebug)}\n`);
  process.exit(EXIT.failed);
});
process.on('exit', () => {
  if (isOver) return;
  process.stderr.write('MILLRACE_TASK: The process has nothing left to wait for, but the command is not over. ');
  process.stderr.write('Check the workflow for a promise that never settles\n');
  process.exitCode = EXIT.failed;
});

void main(words, { outputClosed: output.signal }).then((code) => {
  isOver = true;
  process.exitCode ??= code;
  // Nothing was run, so nothing of it can need time.
  if (code === EXIT.usage) process.exit();
  setTimeout(() => {
    // The streams of the process itself are pipes and terminals too, and keep nothing alive.
    const open = new Set(process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY)Wrap$/.test(name)));
    const names = [...open].join(', ') || 'a pipe';
    process.stderr.write(`The workflow left something open that keeps the process alive (${names}). Ending anyway\n`);
    process.exit();
  }, LINGER_MS).unref();
});
