/** Traces through @opentelemetry/api, which does nothing by itself: the program brings the SDK it likes. */
import type { Context, Tracer } from '@opentelemetry/api';
import type { Observable, Subscription } from 'rxjs';
import type { RunEvent } from '../model/events.js';
import { checkOptions, number, objectWith, type OptionRules } from '../options/options.js';
import type { RecordTracer } from '../model/ports.js';
import { ROOT_CONTEXT, trace } from './open-telemetry-api.js';
import { RunSpans } from './run-spans.js';

/** Options of `openTelemetry` and, but for `sample`, of `traceRun`. */
export interface TraceOptions {
  /** Default: the one that is registered globally. */
  readonly tracer?: Tracer;
  /** What the span of the run stands in. Default: nothing. */
  readonly parent?: Context;
  /** How many of the records that tasks wait for (async functions, calls) get a span, 0 to 1. Default 0.01. */
  readonly sample?: number;
}

const TRACE_RULES: OptionRules<Omit<TraceOptions, 'sample'>> = {
  tracer: objectWith('startSpan'),
  parent: objectWith('getValue', 'setValue'),
};
const RULES: OptionRules<TraceOptions> = { ...TRACE_RULES, sample: number(0, 1) };

/**
 * Traces a run while it runs, for the option `tracer`: a span for the run, below it one a task, and below that one a
 * sampled record; calls of such records carry their span to the upstream as `traceparent`. Which records are sampled
 * depends on their numbers alone, so all tasks sample the same ones. Throws MILLRACE_INVALID_OPTION.
 *
 * @example MyFlow.run(config, { tracer: openTelemetry({ sample: 0.1 }) })
 */
export function openTelemetry(
  options: TraceOptions = {},
): RecordTracer & { follow(events$: Observable<RunEvent>): void } {
  checkOptions('openTelemetry', options, RULES);
  const { sample = 0.01 } = options;
  const spans = spansOf(options);
  return {
    follow: (events$) => {
      follow(events$, spans);
    },
    begin: (task, lineage) => (shareOf(lineage) < sample ? spans.startRecord(task, lineage) : undefined),
  };
}

/**
 * The same of a run's events alone, such as a recording of them: no records, and nothing reaches upstreams. Throws
 * MILLRACE_INVALID_OPTION.
 *
 * @example traceRun(readEvents('events.ndjson'))
 */
export function traceRun(events$: Observable<RunEvent>, options: Omit<TraceOptions, 'sample'> = {}): Subscription {
  checkOptions('traceRun', options, TRACE_RULES);
  return follow(events$, spansOf(options));
}

function spansOf({ tracer = trace.getTracer('millrace'), parent = ROOT_CONTEXT }: TraceOptions): RunSpans {
  return new RunSpans(tracer, parent);
}

function follow(events$: Observable<RunEvent>, spans: RunSpans): Subscription {
  const subscription = events$.subscribe((event) => {
    spans.take(event);
  });
  subscription.add(() => {
    spans.end();
  });
  return subscription;
}

/** Spreads numbers evenly over 0 to 1 (Fibonacci hashing: Knuth, The Art of Computer Programming 3, 6.4). */
function shareOf(lineage: number): number {
  return (Math.imul(lineage + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
}
