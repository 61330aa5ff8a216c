/**
 * The report of a run on a terminal: a frame that is redrawn ten times per second, notices above it, and at the end the
 * final table in its place.
 *
 * Guarantees: the output of tasks appears above the frame, in whole lines.
 */
import type { Subscription } from 'rxjs';
import { renderSummary } from './final-table.js';
import { LiveScreen, type Terminal } from './live-screen.js';
import { renderFrame, type Frame } from './progress-frame.js';
import { sentences, type Report } from './report.js';
import { painterFor } from './paint.js';
import { RunWatch } from './run-watch.js';
import { captureWrites, type CapturedWrites } from './capture-writes.js';

const DRAW_EVERY_MS = 100;

/** Both streams must be terminals: output on one is moved above the frame on the other. */
export function liveReport(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, isColoured: boolean): Report {
  let state: Frame['state'] = 'running';
  let captured: CapturedWrites[] = [];
  let timer: NodeJS.Timeout | undefined;
  let subscription: Subscription | undefined;
  const terminal: Terminal = {
    write: (text) => {
      const own = captured[1];
      if (own === undefined) stderr.write(text);
      else own.write(text);
    },
    // Some terminals report 0, or nothing.
    get columns() {
      return stderr.columns || 80;
    },
    get rows() {
      return stderr.rows || 24;
    },
  };
  const screen = new LiveScreen(terminal);
  const paint = painterFor(stderr, isColoured);
  const release = (): void => {
    clearInterval(timer);
    subscription?.unsubscribe();
    // In this order: clear the frame, print the held-back output in its place, release the streams.
    screen.clear();
    for (const stream of captured) stream.release();
    captured = [];
  };
  return {
    start: (run, workflow) => {
      const print = (lines: string): void => {
        screen.print(lines);
      };
      captured = [captureWrites(stdout, print), captureWrites(stderr, print)];
      const watch = new RunWatch(run);
      const draw = (): void => {
        const frame = { workflow, state, elapsedMs: watch.elapsedMs, ...watch.figures() };
        screen.draw(renderFrame(frame, terminal.columns, terminal.rows, paint));
      };
      timer = setInterval(draw, DRAW_EVERY_MS);
      const sentenceOf = sentences();
      subscription = run.events$.subscribe((event) => {
        watch.accept(event);
        const sentence = sentenceOf(event);
        if (sentence !== undefined) screen.print(`${sentence}\n`);
      });
    },
    stopping: (how, message) => {
      state = how;
      screen.print(`${message}\n`);
    },
    end: (summary) => {
      release();
      for (const line of renderSummary(summary, terminal.columns)) stderr.write(`${line}\n`);
    },
    release,
  };
}
