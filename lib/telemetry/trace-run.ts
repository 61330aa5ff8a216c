/**
 * The events of a run as OpenTelemetry spans: one for the run, and below it one for each task that got to work.
 *
 * Promises: nothing but events is looked at; no more spans are open than there are tasks, plus one; none stays open when
 * the events end or are unsubscribed from; messages have credentials masked.
 */
import { ROOT_CONTEXT, SpanStatusCode, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';
import type { Observable, Subscription } from 'rxjs';
import type { RunEvent } from '../core/events.js';
import { maskText } from '../core/mask-secrets.js';
import { oneLine } from '../core/printable.js';

/** A span says so many dead letters; beyond them, only how many there were. */
const LETTERS_PER_SPAN = 100;

type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;

/**
 * Traces the run that `events$` tells of. A task's dead letters are events on its span; a failed run has an error status
 * and the exception. `parent` is the context that the run's span stands in, by default none. Without a tracer, the one
 * registered globally is used.
 *
 * @example traceRun(run.events$)
 */
export function traceRun(
  events$: Observable<RunEvent>,
  tracer: Tracer = trace.getTracer('millrace'),
  parent: Context = ROOT_CONTEXT,
): Subscription {
  const spans = new RunSpans(tracer, parent);
  const subscription = events$.subscribe((event) => {
    spans.take(event);
  });
  subscription.add(() => {
    spans.end();
  });
  return subscription;
}

class RunSpans {
  readonly #tracer: Tracer;
  readonly #parent: Context;
  readonly #tasks = new Map<string, { readonly span: Span; letters: number }>();
  #run: Span | undefined;
  #inside: Context;

  constructor(tracer: Tracer, parent: Context) {
    this.#tracer = tracer;
    this.#parent = parent;
    this.#inside = parent;
  }

  take(event: RunEvent): void {
    switch (event.type) {
      case 'run-started':
        this.#startRun(event);
        break;
      case 'task-started':
        this.#startTask(event);
        break;
      case 'dead-letter':
        this.#addLetter(event);
        break;
      case 'task-ended':
        this.#endTask(event);
        break;
      case 'run-ended':
        this.#endRun(event);
        break;
      default:
    }
  }

  /** Ends what is open, tasks before their run. */
  end(at?: number): void {
    for (const { span } of this.#tasks.values()) span.end(at);
    this.#tasks.clear();
    this.#run?.end(at);
    this.#run = undefined;
  }

  #startRun({ at, runId, workflow }: EventOf<'run-started'>): void {
    const attributes = { 'millrace.run.id': runId, 'millrace.workflow': workflow };
    this.#run = this.#tracer.startSpan(`run ${workflow}`, { startTime: at, attributes }, this.#parent);
    this.#inside = trace.setSpan(this.#parent, this.#run);
  }

  #startTask({ at, task }: EventOf<'task-started'>): void {
    const options = { startTime: at, attributes: { 'millrace.task': task } };
    this.#tasks.set(task, { span: this.#tracer.startSpan(`task ${task}`, options, this.#inside), letters: 0 });
  }

  #addLetter({ at, letter }: EventOf<'dead-letter'>): void {
    const task = this.#tasks.get(letter.task);
    if (task === undefined || ++task.letters > LETTERS_PER_SPAN) return;
    const attributes = {
      'error.type': letter.code,
      'error.message': maskText(oneLine(letter.message)),
      'millrace.root': letter.lineage.root,
      'millrace.lineage': letter.lineage.number,
      'millrace.attempts': letter.attempts,
    };
    task.span.addEvent('dead-letter', attributes, at);
  }

  #endTask({ at, task, counts }: EventOf<'task-ended'>): void {
    const span = this.#tasks.get(task)?.span;
    span?.setAttributes({
      'millrace.records.in': counts.in,
      'millrace.records.out': counts.out,
      'millrace.records.skipped': counts.skipped,
      'millrace.records.dead_lettered': counts.deadLettered,
    });
    span?.end(at);
    this.#tasks.delete(task);
  }

  #endRun({ at, outcome, error }: EventOf<'run-ended'>): void {
    this.#run?.setAttribute('millrace.outcome', outcome);
    if (error !== undefined) {
      const message = maskText(oneLine(error.message));
      this.#run?.setAttribute('error.type', error.code);
      this.#run?.recordException({ name: error.code, message }, at);
      this.#run?.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    this.end(at);
  }
}
