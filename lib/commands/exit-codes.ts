/**
 * The exit codes of the command line: one table, which `--help` prints.
 *
 * Guarantees: the code is enough for a script, without reading the output.
 */
import type { RunSummary } from '../model/run-summary.js';

export const EXIT = { success: 0, failed: 1, usage: 2, deadLetters: 3, brokenLaw: 4, signal: 130 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Each code with its meaning, in order. */
export const EXIT_CODES: readonly { readonly code: ExitCode; readonly meaning: string }[] = [
  { code: EXIT.success, meaning: 'completed' },
  { code: EXIT.failed, meaning: 'failed' },
  { code: EXIT.usage, meaning: 'the command line or the configuration is wrong; nothing was run' },
  { code: EXIT.deadLetters, meaning: 'completed, with dead letters' },
  { code: EXIT.brokenLaw, meaning: 'stopped: a law of the engine broke, and a wrong answer is worse than none' },
  {
    code: EXIT.signal,
    meaning: 'drained or cancelled: by a signal, or because the reader of the output has gone (| head)',
  },
];

/** The exit code for the end of a run. A failed run has the code of failure, also if it has dead letters. */
export function exitCodeOf(run: Pick<RunSummary, 'outcome' | 'deadLettered' | 'lettersBefore'>): ExitCode {
  switch (run.outcome) {
    case 'failed':
      return EXIT.failed;
    case 'drained':
    case 'cancelled':
      return EXIT.signal;
    case 'completed':
      return run.deadLettered + (run.lettersBefore ?? 0) > 0 ? EXIT.deadLetters : EXIT.success;
  }
}

/** The table as `--help` shows it. */
export function exitCodesText(): string {
  const lines = EXIT_CODES.map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`);
  return ['Exit codes:', ...lines].join('\n');
}
