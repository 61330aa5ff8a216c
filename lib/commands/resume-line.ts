/** What to type next, for hints. */
import { relative } from 'node:path';

/** The line that goes on with a run. `runs` is where it is kept, where that was said. */
export function resumeLine(runId: string, runs: string | undefined): string {
  return `${commandName()} resume ${runId}${runs === undefined ? '' : ` --runs ${runs}`}`;
}

/** As the user started this process: by the file, or by the link that an installation makes, which npx finds. */
export function commandName(): string {
  const [, started = ''] = process.argv;
  if (started.endsWith('.js')) return `node ${relative('.', started)}`;
  return /[\\/]node_modules[\\/]\.bin[\\/]/.test(started) ? 'npx millrace' : 'millrace';
}
