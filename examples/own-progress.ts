/**
 * A custom progress display. It uses `events$`, as the command line does for its own display.
 *
 * `node build/examples/own-progress.js`
 */
import { setTimeout as wait } from 'node:timers/promises';
import { asyncTask, defineWorkflow, sourceTask, type RunEvent } from 'millrace';

const TOTAL = 500;
const WIDTH = 30;

const Slow = defineWorkflow({
  name: 'Slow',
  build: (flow) =>
    flow
      .task(
        'Numbers',
        sourceTask(() => Array.from({ length: TOTAL }, (_, n) => n)),
      )
      .task(
        'Work',
        ['Numbers'],
        asyncTask(async (n: number) => wait(20, n), { concurrency: 8 }),
      ),
});

function bar(done: number, note: string): string {
  const filled = Math.round((WIDTH * done) / TOTAL);
  return `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${done}/${TOTAL} ${note}`;
}

/** The field `type` narrows the union. This display ignores the event types that it does not know. */
function draw(event: RunEvent): void {
  // On a terminal each line replaces the previous one; elsewhere (a file, CI) it is a new line.
  const over = process.stdout.isTTY ? '\r' : '';
  const end = process.stdout.isTTY ? '' : '\n';
  switch (event.type) {
    case 'progress': {
      const work = event.tasks['Work'];
      if (work) process.stdout.write(over + bar(work.out, `${Math.round(work.perSecond.now)}/s`) + end);
      break;
    }
    case 'dead-letter':
      process.stdout.write(`\n${event.letter.task}: ${event.letter.message}\n`);
      break;
    case 'run-ended':
      process.stdout.write(`${over}${bar(event.summary.tasks['Work']?.out ?? 0, event.outcome)}\n`);
  }
}

const run = Slow.run();
run.events$.subscribe(draw);
await run.finished;
