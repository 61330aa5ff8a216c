/** The run that `resume` goes on with where none was named. */
import { MillraceError } from '../model/errors.js';
import { listRuns, type RunFolder } from '../storage/run-folder.js';

/**
 * The newest run that is kept in the folder `runs`, has not finished and has no process that works on it. Broken runs are
 * passed over, and `pass` gets a sentence about each. Throws MILLRACE_UNKNOWN_RUN where there is none.
 */
export async function newestUnfinished(runs: string, pass: (sentence: string) => void): Promise<RunFolder> {
  const folders = await listRuns(runs, ({ runId, error }) => {
    pass(`Run ${runId} is passed over: ${error.message}`);
  });
  for (const folder of folders.reverse()) {
    const { runId } = folder.manifest;
    try {
      if ((await folder.state()) === 'unfinished') return folder;
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      pass(`Run ${runId} is passed over: ${error.message}`);
    }
  }
  const count = folders.length === 0 ? 'none is kept there' : 'each has finished, or another process works on it';
  throw new MillraceError('MILLRACE_UNKNOWN_RUN', `There is no run to resume in ${runs}: ${count}. \`runs\` lists them`);
}
