/**
 * The report of a run to the user: live on a terminal, in plain lines elsewhere, as JSON, or none.
 *
 * Contract: `start` is called in the turn in which the run was created, `end` once after it has ended. `release` is
 * called on every path and restores the streams. All text for people goes to standard error, so that standard output
 * carries only the output of the workflow itself, or with --json the events.
 */
import type { RunEvent } from '../model/events.js';
import type { Run } from '../runtime/run/run.js';
import type { RunSummary } from '../model/run-summary.js';
import { oneLine } from '../text/printable.js';

/** The part of a run that a report uses. */
export type ReportedRun = Pick<Run, 'counts' | 'events$'>;

export type Stopping = 'draining' | 'aborting';

export interface Report {
  start(run: ReportedRun, workflow: string): void;
  /** Called when the run was asked to stop; the message names the signal and the effect. */
  stopping(how: Stopping, message: string): void;
  end(summary: RunSummary): void;
  release(): void;
}

/** Reports only that the run stops after a signal, because the user then waits for an answer. */
export function quietReport(): Report {
  return {
    start: ignore,
    stopping: (_how, message) => {
      process.stderr.write(`${message}\n`);
    },
    end: ignore,
    release: ignore,
  };
}

/**
 * Returns a function that returns a sentence for each event that people should read: notices, problems, and the first
 * dead letter of each task. For other events it returns undefined.
 */
export function sentences(): (event: RunEvent) => string | undefined {
  const reported = new Set<string>();
  return (event) => {
    switch (event.type) {
      case 'notice':
      case 'stall':
      case 'circuit':
        return oneLine(event.message);
      case 'subscriber-error':
        return oneLine(`A subscriber threw: ${event.message}`);
      case 'dead-letter': {
        const { task, code, message } = event.letter;
        if (reported.has(task)) return undefined;
        reported.add(task);
        return oneLine(`First dead letter of '${task}': ${code}: ${message}`);
      }
      default:
        return undefined;
    }
  };
}

function ignore(): void {
  return undefined;
}
