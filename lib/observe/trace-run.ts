/** Traces a run through @opentelemetry/api. That package does nothing by itself: the program configures an SDK. */
import type { Context, Tracer } from '@opentelemetry/api';
import type { Observable, Subscription } from 'rxjs';
import type { RunEvent } from '../model/events.js';
import { checkOptions, number, objectWith, type OptionRules } from '../options/options.js';
import type { RecordTracer } from '../model/ports.js';
import { ROOT_CONTEXT, trace } from './open-telemetry-api.js';
import { RunSpans } from './run-spans.js';

/** Options of `openTelemetry`. `traceRun` has the same options without `sample`. */
export interface TraceOptions {
  /** Default: the tracer of the globally registered provider. */
  readonly tracer?: Tracer;
  /** The parent context of the run's span. Default: none. */
  readonly parent?: Context;
  /** The share of records, 0 to 1, that have a span at each task that waits (async functions, calls). Default 0.01. */
  readonly sample?: number;
}

const TRACE_RULES: OptionRules<Omit<TraceOptions, 'sample'>> = {
  tracer: objectWith('startSpan'),
  parent: objectWith('getValue', 'setValue'),
};
const RULES: OptionRules<TraceOptions> = { ...TRACE_RULES, sample: number(0, 1) };

/**
 * Creates a tracer for the option `tracer` of a run: it creates a span for the run, a child span per task, and below it
 * one span per sampled record. Requests for a sampled record carry its span to the upstream as `traceparent`. The
 * sampling depends only on the number of the record, so all tasks sample the same records. Throws
 * MILLRACE_INVALID_OPTION for invalid options.
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
    begin: (task, lineage, partition) =>
      shareOf(lineage) < sample ? spans.startRecord(task, lineage, partition) : undefined,
  };
}

/**
 * Traces a run from its events alone, for example from a recording. There are no spans of records, and upstreams
 * receive no `traceparent`. Throws MILLRACE_INVALID_OPTION for invalid options.
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
    spans.record(event);
  });
  subscription.add(() => {
    spans.end();
  });
  return subscription;
}

/**
 * Maps a lineage to a number from 0 to 1, evenly spread (Fibonacci hashing: Knuth, The Art of Computer Programming 3,
 * 6.4).
 */
function shareOf(lineage: number): number {
  return (Math.imul(lineage + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
}
