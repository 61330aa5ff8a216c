/**
 * The stories of records, found by processes of their own: `millrace why` loads the workflow of the run, which runs its
 * file.
 *
 * Guarantees: at most two processes work at the same time, and one that takes too long is ended.
 */
import { execFile } from 'node:child_process';
import { describeThrown, MillraceError } from '../../model/errors.js';
import type { Trace } from '../../jobs/record-story.js';
import { oneLine } from '../../text/printable.js';

export interface RecordStoriesOptions {
  /** The folder of runs, absolute. */
  readonly runs: string;
  /** The current folder of the processes, absolute. */
  readonly folder: string;
  /** The script of the command line. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const MOST_MS = 60_000;
const MOST_BYTES = 4 * 2 ** 20;
const MOST_PROCESSES = 2;
/** The exit code of `why` for a record that left no trace. */
const NO_TRACE = 1;

export class RecordStories {
  private readonly options: RecordStoriesOptions;
  private working = 0;

  constructor(options: RecordStoriesOptions) {
    this.options = options;
  }

  /** Whether another story has to wait. */
  get isFull(): boolean {
    return this.working >= MOST_PROCESSES;
  }

  /** The traces of a record; none if it left no trace. Rejects with MILLRACE_USAGE if they cannot be found. */
  async of(runId: string, key: string): Promise<readonly Trace[]> {
    const { runs, folder, script, environment } = this.options;
    // On standard input, no key is read as an option, and none is seen in the list of processes.
    const words = [script, 'why', runId, '-', '--json', '--runs', runs];
    const limits = { timeout: MOST_MS, maxBuffer: MOST_BYTES, killSignal: 'SIGKILL' } as const;
    this.working++;
    try {
      return await new Promise((resolve, reject) => {
        const child = execFile(
          process.execPath,
          words,
          { cwd: folder, env: { ...environment }, ...limits },
          (error, stdout, stderr) => {
            if (error === null || (error.code as unknown) === NO_TRACE) {
              try {
                resolve(JSON.parse(stdout) as readonly Trace[]);
                return;
              } catch {
                // It failed before it printed.
              }
            }
            const why =
              error?.killed === true ? `it took more than ${MOST_MS / 1000} s` : stderr.trim() || describeThrown(error);
            reject(new MillraceError('MILLRACE_USAGE', `The record cannot be searched: ${oneLine(why)}`));
          },
        );
        // A process that fails at once closes its input.
        child.stdin?.on('error', () => undefined);
        child.stdin?.end(key);
      });
    } finally {
      this.working--;
    }
  }
}
