/** Lineage: valid events about what a run read and wrote, and a run that does not care where they go. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { csvSink, csvSource } from 'millrace/csv';
import { defineWorkflow, syncTask, type Run } from 'millrace';
import { openLineage } from 'millrace/observe';
import { RUN_EVENT_SCHEMA } from './support/open-lineage-schema.js';

const ajv = new Ajv2020({ allErrors: true });
formats.default(ajv);
const isValid = ajv.compile(RUN_EVENT_SCHEMA);

interface Event {
  readonly eventType: string;
  readonly run: { readonly runId: string; readonly facets: Record<string, { message?: string }> };
  readonly inputs: readonly { readonly name: string; readonly facets: Record<string, unknown> }[];
  readonly outputs: readonly { readonly name: string; readonly outputFacets?: Record<string, unknown> }[];
}

describe('the lineage of a run', () => {
  let folder: string;
  let server: Server | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-lineage-'));
    await writeFile(join(folder, 'in.csv'), 'a,b\n1,2\n3,4\n');
  });
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    await rm(folder, { recursive: true });
  });

  const started = (how: 'well' | 'badly' = 'well'): Run =>
    defineWorkflow({
      name: 'Copy',
      description: 'Copies',
      build: (flow) =>
        flow
          .task('Read', csvSource({ path: join(folder, 'in.csv'), columns: ['a', 'b'] }))
          .task(
            'Work',
            ['Read'],
            syncTask(
              (row: Record<string, string>) => {
                if (how === 'badly') throw new Error('no: token=abc');
                return row;
              },
              { onFailure: 'fail' },
            ),
          )
          .task('Write', ['Work'], csvSink({ path: join(folder, 'out.csv'), columns: ['a', 'b'] })),
    }).run();

  async function toFile(run: Run): Promise<Event[]> {
    const path = join(folder, 'lineage.ndjson');
    const sent = openLineage(run.events$, path);
    await run.finished.catch(() => undefined);
    await sent;
    const events = (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event);
    for (const event of events) {
      isValid(event);
      expect(isValid.errors ?? []).toEqual([]);
    }
    return events;
  }

  it('says what was read and written, in events that fit the specification', async () => {
    const [start, end, ...others] = await toFile(started());
    expect(others).toEqual([]);
    expect([start?.eventType, end?.eventType]).toEqual(['START', 'COMPLETE']);
    expect(start?.run.runId).toBe(end?.run.runId);
    expect(end?.inputs).toMatchObject([
      {
        namespace: 'file',
        name: join(folder, 'in.csv'),
        facets: { schema: { fields: [{ name: 'a' }, { name: 'b' }] } },
      },
    ]);
    expect(end?.outputs).toMatchObject([
      { name: join(folder, 'out.csv'), outputFacets: { outputStatistics: { rowCount: 2 } } },
    ]);
  });

  it('says why a run failed, without credentials', async () => {
    const end = (await toFile(started('badly'))).at(-1);
    expect(end?.eventType).toBe('FAIL');
    expect(end?.run.facets['errorMessage']?.message).toMatch(/^MILLRACE_TASK: .*no: token=\*\*\*/);
  });

  it('says that a run was broken off', async () => {
    const stopped = started();
    stopped.events$.subscribe((event) => {
      if (event.type === 'task-started') stopped.cancel();
    });
    expect((await toFile(stopped)).at(-1)?.eventType).toBe('ABORT');
  });

  it('reaches a server in order, after tries that failed', async () => {
    const reported: (string | undefined)[][] = [];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        reported.push([request.url, request.headers.authorization, (JSON.parse(body) as Event).eventType]);
        response.writeHead(reported.length === 1 ? 503 : 201).end();
      });
    });
    const listening = server;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as AddressInfo;
    const run = started();
    await openLineage(run.events$, `http://127.0.0.1:${port}`, { apiKey: 'k' });
    const line = (type: string): string[] => ['/api/v1/lineage', 'Bearer k', type];
    expect(reported).toEqual([line('START'), line('START'), line('COMPLETE')]);
  });

  it('that nobody accepts is reported once, and the run does not mind', async () => {
    const run = started();
    // Nobody listens on port 1.
    const sent = openLineage(run.events$, 'http://user:hunter2@127.0.0.1:1/lineage', { timeoutMs: 100 });
    expect((await run.finished).outcome).toBe('completed');
    const failure = await sent.then(
      () => undefined,
      (error: unknown) => error as Error & { code: string },
    );
    expect(failure?.code).toBe('MILLRACE_NETWORK');
    expect(failure?.message).not.toContain('hunter2');
  });
});
