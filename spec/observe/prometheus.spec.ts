import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, sourceTask, syncTask, type RunEvent } from 'millrace';
import { serveMetrics } from 'millrace/observe';
import { RunGauges } from '#lib/observe/run-gauges.js';
import { parsePrometheus, type MetricFamily } from '../support/prometheus.js';

const ODD = 'a "task"\\ of\ntwo lines';

async function eventsOfRun(): Promise<RunEvent[]> {
  const Flow = defineWorkflow({
    name: 'Metered',
    build: (flow) =>
      flow
        .task('S', sourceTask([1, 2, 3, 4]))
        .task(
          ODD,
          ['S'],
          asyncTask((n: number) => (n === 4 ? Promise.reject(new Error('no')) : Promise.resolve(n))),
        )
        .task(
          'Both',
          ['S', ODD],
          syncTask(([a, b]) => a + b),
        ),
  });
  const run = Flow.run();
  const events: RunEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  await run.finished;
  return events;
}

function valueOf(families: Map<string, MetricFamily>, name: string, labels: Record<string, string>): number {
  const sample = families
    .get(name)
    ?.samples.find((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value));
  return sample?.value ?? Number.NaN;
}

describe('metrics for Prometheus', () => {
  it('are valid text that says what the run did, whatever tasks are called', async () => {
    const gauges = new RunGauges();
    const reported: RunEvent[] = [
      ...(await eventsOfRun()),
      { type: 'circuit', at: 1, task: 'S', upstream: 'http://x/', state: 'open', message: '' },
      { type: 'throttled', at: 1, task: 'S', upstream: 'http://x/', delayMs: 5 },
      { type: 'concurrency', at: 1, task: 'S', upstream: 'http://x/', limit: 17 },
    ];
    for (const event of reported) gauges.record(event);
    const families = parsePrometheus(gauges.text());
    const task = { workflow: 'Metered', task: ODD };
    expect(valueOf(families, 'millrace_records_in_total', task)).toBe(4);
    expect(valueOf(families, 'millrace_records_out_total', task)).toBe(3);
    expect(valueOf(families, 'millrace_records_dead_lettered_total', task)).toBe(1);
    expect(valueOf(families, 'millrace_records_in_flight', task)).toBe(0);
    expect(valueOf(families, 'millrace_edge_records_total', { from: ODD, to: 'Both' })).toBe(3);
    expect(valueOf(families, 'millrace_circuit_open', { upstream: 'http://x/' })).toBe(1);
    expect(valueOf(families, 'millrace_concurrency_limit', { upstream: 'http://x/' })).toBe(17);
    expect(valueOf(families, 'millrace_run_info', { workflow: 'Metered' })).toBe(0);
    expect(valueOf(families, 'millrace_process_resident_memory_bytes', {})).toBeGreaterThan(1e6);
    const service = families.get('millrace_service_seconds')?.samples ?? [];
    expect(service.find(({ name, labels }) => name.endsWith('_count') && labels['task'] === ODD)?.value).toBe(4);
  });

  it('begin again with the next run that the same server observes', async () => {
    const gauges = new RunGauges();
    const events = await eventsOfRun();
    for (const event of events) gauges.record(event);
    gauges.record({ type: 'circuit', at: 1, task: 'S', upstream: 'http://x/', state: 'open', message: '' });
    gauges.record(events.find(({ type }) => type === 'run-started') as RunEvent);
    const families = parsePrometheus(gauges.text());
    expect(valueOf(families, 'millrace_run_info', { workflow: 'Metered' })).toBe(1);
    expect(families.has('millrace_circuit_open')).toBe(false);
    expect(families.has('millrace_records_in_total')).toBe(false);
  });

  it('are an empty page before the run', () => {
    expect(new RunGauges().text()).toBe('');
  });

  it('are served on a free port until the server is closed', async () => {
    const server = await serveMetrics(0);
    const answer = await fetch(server.url);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
    expect((await fetch(new URL('/other', server.url))).status).toBe(404);
    const { port } = new URL(server.url);
    const named = (host: string): Promise<number> =>
      new Promise((resolve, reject) => {
        get(server.url, { headers: { host }, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        }).on('error', reject);
      });
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) expect(await named(host)).toBe(200);
    // A page of evil.example that resolves its name to this machine must not read the metrics.
    for (const host of [`evil.example:${port}`, 'localhost.evil.example']) expect(await named(host)).toBe(403);
    await server.close();
    await expect(fetch(server.url)).rejects.toThrow();
  });

  it('are refused a port that is in use, or that is none, with one sentence', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(serveMetrics(port)).rejects.toMatchObject({
      code: 'MILLRACE_USAGE',
      message: `Cannot serve metrics on port ${port} of 127.0.0.1: it is in use. Name another port, or 0 for a free one`,
    });
    other.close();
    await expect(serveMetrics(70_000)).rejects.toMatchObject({ code: 'MILLRACE_USAGE' });
  });
});

describe('the strict reader of the specs', () => {
  it.each([
    ['a sample without a type', 'a_total 1\n'],
    ['a counter without _total', '# HELP a_seconds x\n# TYPE a_seconds counter\na_seconds 1\n'],
    ['a label that is not closed', '# HELP a_total x\n# TYPE a_total counter\na_total{b="c} 1\n'],
    ['one series twice', '# HELP a_total x\n# TYPE a_total counter\na_total 1\na_total 2\n'],
    [
      'buckets that do not ascend',
      '# HELP a_seconds x\n# TYPE a_seconds histogram\na_seconds_bucket{le="1"} 2\na_seconds_bucket{le="+Inf"} 1\na_seconds_sum 1\na_seconds_count 1\n',
    ],
  ])('refuses %s', (_, text) => {
    expect(() => parsePrometheus(text)).toThrow();
  });
});
