/**
 * How a run is told to whoever started it: live on a terminal, in plain lines elsewhere, as JSON, or not at all.
 *
 * Contract: `start` is called in the turn the run was made, `end` once after it has ended; `release` is called on every
 * path and gives back what was taken. Everything for people goes to standard error, so that standard output carries only
 * what the workflow prints itself, or with --json the events.
 */
import type { RunEvent } from '../model/events.js';
import type { Run } from '../runtime/run/run.js';
import type { RunSummary } from '../model/run-summary.js';
import { oneLine } from '../text/printable.js';

/** What a report uses of a run. */
export type ReportedRun = Pick<Run, 'counts' | 'events$'>;

export type Stopping = 'draining' | 'aborting';

export interface Report {
  start(run: ReportedRun, workflow: string): void;
  /** The run was asked to stop; the message says by whom and what happens now. */
  stopping(how: Stopping, message: string): void;
  end(summary: RunSummary): void;
  release(): void;
}

/** Tells only that it was asked to stop, because somebody stands there waiting. */
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

/** What of the events people should read in a sentence: notices, troubles, and the first dead letter of each task. */
export function sentences(): (event: RunEvent) => string | undefined {
  const told = new Set<string>();
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
        if (told.has(task)) return undefined;
        told.add(task);
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
