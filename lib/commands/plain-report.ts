/**
 * The report of a run without a terminal: every two seconds one line for each task that progressed, then the final
 * table.
 *
 * Guarantees: it reads well in a log file: no escapes, nothing is overwritten, nothing is cut.
 */
import type { Subscription } from 'rxjs';
import { renderSummary } from './final-table.js';
import { renderLine, type FrameTask } from './progress-frame.js';
import { sentences, type Report } from './report.js';
import { RunWatch } from './run-watch.js';

const REPORT_EVERY_MS = 2000;

/** `write` is called with whole lines; `everyMs` is for tests. */
export function plainReport(write: (lines: string) => void, everyMs = REPORT_EVERY_MS): Report {
  let timer: NodeJS.Timeout | undefined;
  let subscription: Subscription | undefined;
  const release = (): void => {
    clearInterval(timer);
    subscription?.unsubscribe();
  };
  return {
    start: (run) => {
      const watch = new RunWatch(run);
      let last = new Map<string, string>();
      const report = (): void => {
        const tasks = watch.look();
        const moved = tasks.filter((task) => last.get(task.name) !== fingerprint(task));
        last = new Map(tasks.map((task) => [task.name, fingerprint(task)]));
        if (moved.length > 0) write(moved.map((task) => `${renderLine(task, watch.elapsedMs)}\n`).join(''));
      };
      timer = setInterval(report, everyMs);
      const sentenceOf = sentences();
      subscription = run.events$.subscribe((event) => {
        watch.accept(event);
        const sentence = sentenceOf(event);
        if (sentence !== undefined) write(`${sentence}\n`);
      });
    },
    stopping: (_how, message) => {
      write(`${message}\n`);
    },
    end: (summary) => {
      // Stops before a last line per task: the table contains the same facts.
      release();
      write(
        renderSummary(summary, Infinity)
          .map((line) => `${line}\n`)
          .join(''),
      );
    },
    release,
  };
}

function fingerprint({ counts }: FrameTask): string {
  return JSON.stringify(counts);
}
