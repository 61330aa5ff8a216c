/** Traces: the tree of spans, what they say of failure, and that none is left open. */
import { describe, expect, it } from '@jest/globals';
import { SpanStatusCode } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Subject } from 'rxjs';
import { defineWorkflow, sourceTask, syncTask, type RunEvent } from 'millrace';
import { traceRun } from 'millrace/opentelemetry';

const tracing = () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const named = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name);
  return { exporter, named, tracer: provider.getTracer('spec') };
};

const inverting = (onFailure: 'dead-letter' | 'fail') =>
  defineWorkflow({
    name: 'Traced',
    build: (build) =>
      build.task('Numbers', sourceTask([1, 0])).task(
        'Invert',
        ['Numbers'],
        syncTask(
          (n: number) => {
            if (n === 0) throw new Error('zero, token=abc');
            return 1 / n;
          },
          { onFailure },
        ),
      ),
  });

describe('a traced run', () => {
  it('has a span for each task below its own, with dead letters as events', async () => {
    const { exporter, named, tracer } = tracing();
    const run = inverting('dead-letter').run();
    traceRun(run.events$, tracer);
    await run.finished;
    const whole = named('run Traced');
    expect(exporter.getFinishedSpans()).toHaveLength(3);
    expect(whole?.attributes).toMatchObject({ 'millrace.run.id': run.id, 'millrace.outcome': 'completed' });
    for (const task of ['Numbers', 'Invert']) {
      expect(named(`task ${task}`)?.parentSpanContext?.spanId).toBe(whole?.spanContext().spanId);
    }
    const invert = named('task Invert');
    expect(invert?.attributes).toMatchObject({ 'millrace.records.in': 2, 'millrace.records.out': 1 });
    expect(invert?.events).toMatchObject([{ name: 'dead-letter', attributes: { 'millrace.lineage': 1 } }]);
    expect(invert?.events[0]?.attributes?.['error.message']).not.toContain('abc');
  });

  it('that failed says why on its span', async () => {
    const { named, tracer } = tracing();
    const run = inverting('fail').run();
    traceRun(run.events$, tracer);
    await expect(run.finished).rejects.toThrow();
    expect(named('run Traced')).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      events: [{ name: 'exception' }],
    });
  });

  it('leaves no span open where the events break off', () => {
    const { exporter, tracer } = tracing();
    const events$ = new Subject<RunEvent>();
    const subscription = traceRun(events$, tracer);
    events$.next({ type: 'run-started', workflow: 'W', runId: 'r', at: 1 } as RunEvent);
    events$.next({ type: 'task-started', task: 'A', at: 2 });
    expect(exporter.getFinishedSpans()).toHaveLength(0);
    subscription.unsubscribe();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['task A', 'run W']);
  });
});
