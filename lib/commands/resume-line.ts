/** Commands for hints: the line that the user can type next. */
import { relative } from 'node:path';

/** The command that resumes a run. `runs` is the folder of runs, if one was given. */
export function resumeLine(runId: string, runs: string | undefined): string {
  return `${commandName()} resume ${runId}${runs === undefined ? '' : ` --runs ${runs}`}`;
}

/** The command as the user started it: with node and the file, with npx, or by its name. */
export function commandName(): string {
  const [, started = ''] = process.argv;
  if (started.endsWith('.js')) return `node ${relative('.', started)}`;
  return /[\\/]node_modules[\\/]\.bin[\\/]/.test(started) ? 'npx millrace' : 'millrace';
}
