/**
 * A run as OpenTelemetry spans: one span for the run, a child span per task that has started, and below it one span per
 * sampled record at a task that waits for something.
 *
 * Guarantees: the open spans are at most one for the run, one per task, and one per sampled record in flight; every
 * span is closed when the events end; the span of a call of an upstream is of the kind CLIENT; messages have
 * credentials masked.
 */
import type { Context, Span, Tracer } from '@opentelemetry/api';
import type { RunEvent } from '../model/events.js';
import { codeOf, describeThrown } from '../model/errors.js';
import { maskText } from '../text/mask-secrets.js';
import { oneLine } from '../text/printable.js';
import type { RecordSpan } from '../model/ports.js';
import { SpanKind, SpanStatusCode, trace } from './open-telemetry-api.js';

/** The most dead letters that one span lists. Its attributes count all of them. */
const LETTERS_PER_SPAN = 100;

type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;

interface TaskSpan {
  readonly span: Span;
  /** The context of the spans below this one. */
  readonly inside: Context;
  letters: number;
}

export class RunSpans {
  private readonly tracer: Tracer;
  private readonly parent: Context;
  private readonly tasks = new Map<string, TaskSpan>();
  private readonly records = new Set<Span>();
  /** Tasks whose records are calls of an upstream. */
  private callers = new Set<string>();
  private run: Span | undefined;
  private inside: Context;

  constructor(tracer: Tracer, parent: Context) {
    this.tracer = tracer;
    this.parent = parent;
    this.inside = parent;
  }

  record(event: RunEvent): void {
    switch (event.type) {
      case 'run-started':
        this.startRun(event);
        break;
      case 'task-started':
        this.startTask(event);
        break;
      case 'dead-letter':
        this.addLetter(event);
        break;
      case 'task-ended':
        this.endTask(event);
        break;
      case 'run-ended':
        this.endRun(event);
        break;
      default:
    }
  }

  /** Starts the span of a record at a task. Undefined if the task has no open span. */
  startRecord(task: string, lineage: number, partition = 0): RecordSpan | undefined {
    const inside = this.tasks.get(task)?.inside;
    if (inside === undefined) return undefined;
    const attributes = {
      'millrace.task': task,
      'millrace.lineage': lineage,
      ...(partition > 0 && { 'millrace.partition': partition }),
    };
    const kind = this.callers.has(task) ? SpanKind.CLIENT : SpanKind.INTERNAL;
    const span = this.tracer.startSpan(`${task} record`, { attributes, kind }, inside);
    this.records.add(span);
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      end: (attempts, failure) => {
        // A record may finish after the run has ended.
        if (!this.records.delete(span)) return;
        span.setAttribute('millrace.attempts', attempts);
        if (failure !== undefined) fail(span, codeOf(failure.error), describeThrown(failure.error));
        span.end();
      },
    };
  }

  /** Ends every open span: records first, then tasks, then the run. */
  end(at?: number): void {
    for (const span of this.records) span.end(at);
    this.records.clear();
    for (const { span } of this.tasks.values()) span.end(at);
    this.tasks.clear();
    this.run?.end(at);
    this.run = undefined;
  }

  private startRun({ at, runId, workflow, graph }: EventOf<'run-started'>): void {
    this.callers = new Set(graph.filter(({ callsUpstream }) => callsUpstream === true).map(({ name }) => name));
    const attributes = { 'millrace.run.id': runId, 'millrace.workflow': workflow };
    this.run = this.tracer.startSpan(`run ${workflow}`, { startTime: at, attributes }, this.parent);
    this.inside = trace.setSpan(this.parent, this.run);
  }

  private startTask({ at, task }: EventOf<'task-started'>): void {
    const options = { startTime: at, attributes: { 'millrace.task': task } };
    const span = this.tracer.startSpan(`task ${task}`, options, this.inside);
    this.tasks.set(task, { span, inside: trace.setSpan(this.inside, span), letters: 0 });
  }

  private addLetter({ at, letter }: EventOf<'dead-letter'>): void {
    const task = this.tasks.get(letter.task);
    if (task === undefined || ++task.letters > LETTERS_PER_SPAN) return;
    const attributes = {
      'error.type': letter.code,
      'error.message': shown(letter.message),
      'millrace.root': letter.lineage.root,
      'millrace.lineage': letter.lineage.number,
      ...(letter.lineage.partition > 0 && { 'millrace.partition': letter.lineage.partition }),
      'millrace.attempts': letter.attempts,
    };
    task.span.addEvent('dead-letter', attributes, at);
  }

  private endTask({ at, task, counts }: EventOf<'task-ended'>): void {
    const span = this.tasks.get(task)?.span;
    span?.setAttributes({
      'millrace.records.in': counts.in,
      'millrace.records.out': counts.out,
      'millrace.records.skipped': counts.skipped,
      'millrace.records.dead_lettered': counts.deadLettered,
    });
    span?.end(at);
    this.tasks.delete(task);
  }

  private endRun({ at, outcome, error }: EventOf<'run-ended'>): void {
    this.run?.setAttribute('millrace.outcome', outcome);
    if (error !== undefined && this.run !== undefined) {
      this.run.recordException({ name: error.code, message: shown(error.message) }, at);
      fail(this.run, error.code, error.message);
    }
    this.end(at);
  }
}

function fail(span: Span, code: string, message: string): void {
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: shown(message) });
}

function shown(message: string): string {
  return maskText(oneLine(message));
}
