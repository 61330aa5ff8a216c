/**
 * The run for programs: every event as a line of JSON on standard output, the summary as the last line. Promises: every
 * line is JSON by itself; what tasks print goes to standard error meanwhile.
 */
import type { Subscription } from 'rxjs';
import { describeValue } from '../core/errors.js';
import type { RunEvent } from '../core/events.js';
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
        out.write(`${jsonOf(event)}\n`);
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

/** Events are plain data but for the record of a dead letter, which may be anything. */
function jsonOf(event: RunEvent): string {
  try {
    return JSON.stringify(event, replacer);
  } catch {
    if (event.type !== 'dead-letter') throw new TypeError(`An event of type ${event.type} is no plain data`);
    const record = describeValue(event.letter.record, 2000);
    return JSON.stringify({ ...event, letter: { ...event.letter, record } }, replacer);
  }
}

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}
