/**
 * The report of a run for programs: each event as a line of JSON on standard output, the summary as the last line.
 *
 * Guarantees: each line is JSON by itself; the output of tasks goes to standard error meanwhile.
 */
import type { Subscription } from 'rxjs';
import { eventLine } from '../model/json-line.js';
import type { Report } from './report.js';
import { captureWrites, type Writable } from './capture-writes.js';

/** Redirects standard output at once, because a workflow file may print something that is not JSON while it loads. */
export function jsonReport(stdout: Writable, stderr: Writable): Report {
  const out = captureWrites(stdout, (lines) => {
    stderr.write(lines);
  });
  let subscription: Subscription | undefined;
  return {
    start: (run) => {
      subscription = run.events$.subscribe((event) => {
        out.write(eventLine(event));
      });
    },
    stopping: (_how, message) => {
      stderr.write(`${message}\n`);
    },
    end: (summary) => {
      out.write(`${JSON.stringify({ type: 'summary', summary })}\n`);
    },
    release: () => {
      subscription?.unsubscribe();
      out.release();
    },
  };
}
