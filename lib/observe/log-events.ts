/**
 * Writes the events of a run as lines of a log, through any logger with pino's interface.
 *
 * Guarantees: the log reads events only; a line names the position of a record, never its contents; each message is one
 * line, with control characters escaped and credentials masked.
 */
import type { Observable, Subscription } from 'rxjs';
import type { RunEvent } from '../model/events.js';
import { recordText } from '../model/lineage-id.js';
import type { LineageId } from '../model/ports.js';
import { maskText } from '../text/mask-secrets.js';
import { oneLine } from '../text/printable.js';

/** The methods of a logger that `logEvents` calls. A pino logger has them. */
export interface EventLogger {
  /** Receives progress, resources, slow records, checkpoints, threads, adaptive limits, and the starts of tasks. */
  debug(fields: object, message: string): void;
  /** Receives the start and the end of the run, ends and skips of tasks, circuits that close, calls, and notices. */
  info(fields: object, message: string): void;
  /** Receives dead letters, retries, throttling, circuits that open, dropped events, and replaced threads. */
  warn(fields: object, message: string): void;
  /** Receives runs that failed, stalls, and subscribers that threw. */
  error(fields: object, message: string): void;
}

type Level = keyof EventLogger;
interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields?: object;
}

/**
 * Logs the events of one run. Each line has `run` and `time` (milliseconds since 1970). Events of a task, an attempt or
 * a record also have `task`, `attempt` and `correlationId` (the header that upstreams received). The log ends with the
 * run, or when the subscription is unsubscribed.
 *
 * @example logEvents(run.events$, pino())
 */
export function logEvents(events$: Observable<RunEvent>, logger: EventLogger): Subscription {
  let run: string | undefined;
  return events$.subscribe((event) => {
    if (event.type === 'run-started') run = event.runId;
    const { level, message, fields } = lineOf(event, run ?? '');
    logger[level]({ time: event.at, run, event: event.type, ...fields }, maskText(oneLine(message)));
  });
}

function lineOf(event: RunEvent, run: string): Line {
  switch (event.type) {
    case 'run-started': {
      const { workflow, seed, window, config } = event;
      return { level: 'info', message: `${workflow} started`, fields: { workflow, seed, window, config } };
    }
    case 'resumed':
      return { level: 'info', message: `resumed, incarnation ${event.incarnation}`, fields: { from: event.from } };
    case 'draining':
      return { level: 'info', message: 'draining' };
    case 'notice':
      return { level: 'info', message: event.message };
    case 'run-ended': {
      const { outcome, error, summary } = event;
      const { elapsedMs, skipped, deadLettered } = summary;
      const why = error === undefined ? '' : `: ${error.code}: ${error.message}`;
      const fields = { outcome, elapsedMs, skipped, deadLettered, ...(error && { code: error.code }) };
      return { level: outcome === 'failed' ? 'error' : 'info', message: `${outcome}${why}`, fields };
    }
    case 'task-started':
      return { level: 'debug', message: `${event.task} started`, fields: { task: event.task } };
    case 'task-ended':
      return { level: 'info', message: `${event.task} ended`, fields: { task: event.task, counts: event.counts } };
    case 'task-skipped':
      return { level: 'info', message: `${event.task} is skipped: ${event.reason}`, fields: { task: event.task } };
    case 'dead-letter': {
      const { task, lineage, attempts, code, message } = event.letter;
      const fields = { task, attempt: attempts, ...recordOf(run, lineage), root: lineage.root, code };
      return { level: 'warn', message: `${task} gave up a record: ${code}: ${message}`, fields };
    }
    case 'stall':
      return { level: 'error', message: event.message, fields: { stalled: event.stalled } };
    case 'subscriber-error':
      return { level: 'error', message: `a subscriber threw: ${event.message}` };
    case 'dropped':
      return { level: 'warn', message: `${event.count} events were left out`, fields: { types: event.types } };
    case 'thread-replaced':
      return { level: 'warn', message: `thread ${event.thread} was replaced`, fields: { thread: event.thread } };
    case 'thread-started':
    case 'thread-ended':
      return {
        level: 'debug',
        message: `thread ${event.thread} ${event.type.slice(7)}`,
        fields: { thread: event.thread },
      };
    case 'checkpoint': {
      const { settled, elapsedMs } = event;
      return { level: 'debug', message: 'checkpoint', fields: { settled, elapsedMs } };
    }
    case 'progress':
      return { level: 'debug', message: 'progress', fields: { tasks: countsOf(event), bottleneck: event.bottleneck } };
    case 'resources':
      return { level: 'debug', message: 'resources', fields: { process: event.process } };
    case 'slow-records':
      return { level: 'debug', message: 'slow records', fields: { records: event.records } };
    default:
      return callLineOf(event, run);
  }
}

function callLineOf(
  event: Extract<RunEvent, { type: 'retry' | 'circuit' | 'throttled' | 'concurrency' | 'calls' }>,
  run: string,
): Line {
  const { task } = event;
  switch (event.type) {
    case 'retry': {
      const { attempt, lineage: number, partition = 0, code, delayMs, message } = event;
      const fields = { task, attempt, ...recordOf(run, { partition, number }), code, delayMs };
      return {
        level: 'warn',
        message: `${task} retries in ${Math.round(delayMs)} ms: ${code}: ${message}`,
        fields,
      };
    }
    case 'circuit': {
      const { upstream, state, message } = event;
      return { level: state === 'closed' ? 'info' : 'warn', message, fields: { task, upstream, state } };
    }
    case 'throttled': {
      const { upstream, delayMs } = event;
      return { level: 'warn', message: `${upstream} asked for fewer calls`, fields: { task, upstream, delayMs } };
    }
    case 'concurrency': {
      const { upstream, limit } = event;
      return { level: 'debug', message: `at most ${limit} calls in flight`, fields: { task, upstream, limit } };
    }
    case 'calls': {
      const { upstream, policies, concurrency, counts } = event;
      return {
        level: 'info',
        message: `${task} finished its calls`,
        fields: { task, upstream, policies, concurrency, counts },
      };
    }
  }
}

function recordOf(
  run: string,
  { partition, number }: Pick<LineageId, 'partition' | 'number'>,
): { lineage: number; partition?: number; correlationId: string } {
  const correlationId = `${run}:${recordText({ partition, number })}`;
  return { lineage: number, ...(partition > 0 && { partition }), correlationId };
}

function countsOf({ tasks }: Extract<RunEvent, { type: 'progress' }>): object {
  return Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => {
      const { in: received, out, skipped, deadLettered, inFlight } = task;
      return [name, { in: received, out, skipped, deadLettered, inFlight, perSecond: task.perSecond.now }];
    }),
  );
}
