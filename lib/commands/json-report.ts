/**
 * The run for programs: every event as a line of JSON on standard output, the summary as the last line. Promises: every
 * line is JSON by itself; what tasks print goes to standard error meanwhile.
 */
import type { Subscription } from 'rxjs';
import { eventLine } from '../model/json-line.js';
import type { Report } from './report.js';
import { takeOverWrites, type Writable } from './take-over-writes.js';

/** Standard output is taken over at once: also what the workflow's file prints while it loads is no JSON. */
export function jsonReport(stdout: Writable, stderr: Writable): Report {
  const out = takeOverWrites(stdout, (lines) => {
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
