/** Traces: the tree of spans, what they say of failure, and that none is left open. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Subject } from 'rxjs';
import { asyncTask, defineWorkflow, sourceTask, syncTask, type Run, type RunEvent } from 'millrace';
import { requestTask } from 'millrace/http';
import { openTelemetry, traceRun } from 'millrace/opentelemetry';

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
    traceRun(run.events$, { tracer });
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
    traceRun(run.events$, { tracer });
    await expect(run.finished).rejects.toThrow();
    expect(named('run Traced')).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      events: [{ name: 'exception' }],
    });
  });

  it('leaves no span open where the events break off', () => {
    const { exporter, tracer } = tracing();
    const events$ = new Subject<RunEvent>();
    const subscription = traceRun(events$, { tracer });
    events$.next({ type: 'run-started', workflow: 'W', runId: 'r', at: 1, graph: [] } as unknown as RunEvent);
    events$.next({ type: 'task-started', task: 'A', at: 2 });
    expect(exporter.getFinishedSpans()).toHaveLength(0);
    subscription.unsubscribe();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['task A', 'run W']);
  });
});

describe('a traced record', () => {
  /** Answers 503 once to the record 2, and keeps the headers that it received. */
  const upstream = async () => {
    const reported: string[] = [];
    let refused = false;
    const server = createServer((request, response) => {
      reported.push(String(request.headers['traceparent']));
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const isRefused = body === '2' && !refused;
        if (isRefused) refused = true;
        response.writeHead(isRefused ? 503 : 200, { 'content-type': 'application/json' }).end('1');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return { reported, url: `http://127.0.0.1:${port}/`, close: () => server.close() };
  };

  it('has a span below its task, which its calls report to the upstream', async () => {
    const { exporter, named, tracer } = tracing();
    const { reported, url, close } = await upstream();
    const flow = defineWorkflow({
      name: 'Asking',
      build: (build) =>
        build
          .task('Numbers', sourceTask([1, 2]))
          .task('Ask', ['Numbers'], requestTask<number, number>({ url, body: (n) => n, retry: { baseMs: 1 } })),
    });
    await flow.run(undefined, { tracer: openTelemetry({ tracer, sample: 1 }) }).finished;
    close();
    const records = exporter.getFinishedSpans().filter(({ name }) => name === 'Ask record');
    expect(records.map(({ attributes }) => attributes['millrace.attempts']).sort()).toEqual([1, 2]);
    expect(records.map(({ kind }) => kind)).toEqual([SpanKind.CLIENT, SpanKind.CLIENT]);
    for (const record of records) {
      const { traceId, spanId } = record.spanContext();
      expect(record.parentSpanContext?.spanId).toBe(named('task Ask')?.spanContext().spanId);
      const calls = reported.filter((header) => header === `00-${traceId}-${spanId}-01`);
      expect(calls).toHaveLength(record.attributes['millrace.attempts'] as number);
    }
  });

  it('that nobody exports is not called sampled', async () => {
    const { tracer } = tracing();
    const { reported, url, close } = await upstream();
    const flow = defineWorkflow({
      name: 'Asking',
      build: (build) =>
        build
          .task('Numbers', sourceTask([1, 2, 3]))
          .task('Ask', ['Numbers'], requestTask<number, number>({ url, body: (n) => n, retry: { baseMs: 1 } })),
    });
    await flow.run().finished;
    await flow.run(undefined, { tracer: openTelemetry({ tracer, sample: 0 }) }).finished;
    close();
    expect(reported.length).toBeGreaterThanOrEqual(6);
    for (const header of reported) expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  const flowOf = (work: (n: number) => Promise<number>) =>
    defineWorkflow({
      name: 'Many',
      build: (build) =>
        build
          .task('Numbers', sourceTask(Array.from({ length: 2000 }, (_, n) => n)))
          .task('Wait', ['Numbers'], asyncTask(work)),
    });

  it.each([
    [0, 0, 0],
    [0.1, 150, 250],
    [1, 2000, 2000],
  ])('is one of a sample of %d, the same in every run', async (sample, least, most) => {
    const sampled = async (): Promise<unknown[]> => {
      const { exporter, tracer } = tracing();
      await flowOf((n) => Promise.resolve(n)).run(undefined, { tracer: openTelemetry({ tracer, sample }) }).finished;
      const records = exporter.getFinishedSpans().filter(({ name }) => name === 'Wait record');
      return records.map(({ attributes }) => attributes['millrace.lineage']);
    };
    const first = await sampled();
    expect(first.length).toBeGreaterThanOrEqual(least);
    expect(first.length).toBeLessThanOrEqual(most);
    expect(await sampled()).toEqual(first);
  });

  it('that was given up says why', async () => {
    const { exporter, tracer } = tracing();
    const flow = flowOf((n) => (n === 7 ? Promise.reject(new Error('seven')) : Promise.resolve(n)));
    await flow.run(undefined, { tracer: openTelemetry({ tracer, sample: 1 }) }).finished;
    const failed = exporter.getFinishedSpans().filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed).toMatchObject([{ attributes: { 'millrace.lineage': 7, 'error.type': 'MILLRACE_TASK' } }]);
  });

  it('ends with its run where that is cancelled', async () => {
    const { exporter, tracer } = tracing();
    const run: Run = flowOf(() => {
      setImmediate(() => {
        run.cancel();
      });
      return new Promise(() => undefined);
    }).run(undefined, { tracer: openTelemetry({ tracer, sample: 1 }) });
    expect((await run.finished).outcome).toBe('cancelled');
    const names = exporter.getFinishedSpans().map(({ name }) => name);
    expect(names.filter((name) => name === 'Wait record').length).toBeGreaterThan(0);
    expect(names.at(-1)).toBe('run Many');
  });
});
