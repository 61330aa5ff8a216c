/** Lists that are read page by page over HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, rateLimit, retryPolicy, sinkTask, type RunOptions } from 'millrace';
import { httpSource, type HttpSourceOptions } from 'millrace/http';
import { connectorContract, fakeUpstream, memoryCheckpoints, virtualClock, type SourceSubject } from 'millrace/testing';
import { z } from 'zod';
import { HttpSource } from '#lib/connectors/http/http-source.js';
import { linkTo } from '#lib/connectors/http/link-header.js';

const URL_OF_LIST = 'https://api.example.com/items';

interface Incarnation extends RunOptions {
  readonly work?: (record: unknown) => Promise<void>;
  readonly cancelAtMs?: number;
}

/** Reads the list in virtual time. `answer` is called with the path and the query of each request. */
async function read(
  options: Omit<HttpSourceOptions<unknown>, 'url'> & { readonly url?: string },
  answer: (
    url: URL,
    request: number,
  ) => { status?: number; headers?: Record<string, string>; body?: unknown; text?: string },
  { work, cancelAtMs, ...incarnation }: Incarnation = {},
): Promise<{ records: unknown[]; requests: string[]; times: number[]; letters: string[] }> {
  const clock = virtualClock();
  const [records, requests, times, letters]: [unknown[], string[], number[], string[]] = [[], [], [], []];
  const startedAt = clock.now();
  const upstream = fakeUpstream(clock, ({ url }) => {
    requests.push(url.replace('https://api.example.com', ''));
    times.push(clock.now() - startedAt);
    return { status: 200, ...answer(new URL(url), requests.length) };
  });
  const flow = defineWorkflow({
    name: 'Items',
    build: (tasks) =>
      tasks
        .task('Items', httpSource({ url: URL_OF_LIST, ...options }))
        .task(
          'Work',
          ['Items'],
          asyncTask(
            async (record: unknown) => {
              await work?.(record);
              return record;
            },
            { ordered: true },
          ),
        )
        .task(
          'Collect',
          ['Work'],
          sinkTask((record: unknown) => void records.push(record)),
        ),
  });
  const run = flow.run(undefined, { clock, upstream, ...incarnation });
  run.events$.subscribe({
    next: (event) => event.type === 'dead-letter' && letters.push(event.letter.message),
    error: () => undefined,
  });
  if (cancelAtMs !== undefined) {
    clock.schedule(cancelAtMs, () => {
      run.cancel();
    });
  }
  await clock.runUntil(run.finished);
  return { records, requests, times, letters };
}

/** Pages of three of the numbers from 0 to 6. */
const page = (number: number): number[] => [0, 1, 2, 3, 4, 5, 6].slice(3 * number, 3 * number + 3);
const ALL = [0, 1, 2, 3, 4, 5, 6];

describe('an httpSource follows', () => {
  it('Link headers', async () => {
    const { records, requests } = await read({}, ({ searchParams }) => {
      const n = Number(searchParams.get('p') ?? 0);
      const link = `</items?p=0>; rel="first", </items?p=${n + 1}>; title="a, b"; rel="next last"`;
      return { body: page(n), headers: n < 2 ? { link } : {} };
    });
    expect(records).toEqual(ALL);
    expect(requests).toEqual(['/items', '/items?p=1', '/items?p=2']);
  });

  it('URLs in answers', async () => {
    const options = { pages: { by: 'url', next: 'links.next' }, items: 'data.items' } as const;
    const { records } = await read(options, ({ searchParams }) => {
      const n = Number(searchParams.get('p') ?? 0);
      return { body: { data: { items: page(n) }, links: { next: n < 2 ? `?p=${n + 1}` : null } } };
    });
    expect(records).toEqual(ALL);
  });

  it('cursors, also those that a number cannot hold', async () => {
    const cursors = ['', '9007199254740993', 'b&c='];
    const options = {
      url: `${URL_OF_LIST}?size=3`,
      pages: { by: 'cursor', parameter: 'after', next: 'next' },
      items: 'items',
    } as const;
    const { records, requests } = await read(options, ({ searchParams }) => {
      const n = cursors.indexOf(searchParams.get('after') ?? '');
      const next = n === 0 ? '9007199254740993' : n === 1 ? '"b&c="' : 'null';
      return { text: `{"items":${JSON.stringify(page(n))},"next":${next}}` };
    });
    expect(records).toEqual(ALL);
    expect(requests).toEqual(['/items?size=3', '/items?size=3&after=9007199254740993', '/items?size=3&after=b%26c%3D']);
  });

  it.each<[HttpSourceOptions<unknown>['pages'], readonly string[]]>([
    [{ by: 'number' }, ['page=1', 'page=2', 'page=3', 'page=4']],
    [{ by: 'number', parameter: 'p', first: 0, pageSize: 3 }, ['p=0', 'p=1', 'p=2']],
    [{ by: 'offset' }, ['offset=0', 'offset=3', 'offset=6', 'offset=7']],
    [{ by: 'offset', parameter: 'skip', pageSize: 3 }, ['skip=0', 'skip=3', 'skip=6']],
  ])('pages as %j', async (pages, queries) => {
    const { records, requests } = await read({ ...(pages && { pages }) }, ({ searchParams }) => {
      const [[name, value] = ['', '']] = [...searchParams];
      const n = Number(value);
      return { body: name === 'page' ? page(n - 1) : name === 'p' ? page(n) : ALL.slice(n, n + 3) };
    });
    expect(records).toEqual(ALL);
    expect(requests).toEqual(queries.map((query) => `/items?${query}`));
  });

  it('an answer without a body to the end', async () => {
    expect((await read({}, () => ({ status: 204, text: '' }))).records).toEqual([]);
  });
});

describe('an httpSource', () => {
  it('waits as long as the upstream asks after 429, and counts no attempt', async () => {
    const { records, times } = await read({ retry: retryPolicy({ attempts: 2 }) }, (_, request) =>
      request <= 5 ? { status: 429, headers: { 'retry-after': '10' } } : { body: [1] },
    );
    expect(records).toEqual([1]);
    expect(times).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
  });

  it('repeats a request that may succeed, and fails the run when its attempts are used up', async () => {
    const ok = await read({}, (_, request) => (request < 4 ? { status: 503 } : { body: [1] }));
    expect(ok.records).toEqual([1]);
    let asked = 0;
    const failing = read({ retry: retryPolicy({ attempts: 3 }) }, () => {
      asked++;
      return { status: 500 };
    });
    await expect(failing).rejects.toMatchObject({ code: 'MILLRACE_HTTP_STATUS' });
    expect(asked).toBe(3);
  });

  it('sends no more requests per second than its limit allows', async () => {
    const { times } = await read({ rateLimit: rateLimit({ perSecond: 2 }), pages: { by: 'number' } }, (_, request) => ({
      body: request < 5 ? [1] : [],
    }));
    expect(times).toEqual([0, 500, 1000, 1500, 2000]);
  });

  it('requests a page only when its records are needed', async () => {
    const seen: number[] = [];
    let asked = 0;
    await read(
      { pages: { by: 'number' } },
      () => {
        asked++;
        return { body: asked <= 10 ? Array.from({ length: 10 }, () => asked) : [] };
      },
      {
        window: 10,
        work: async (record) => {
          seen.push(asked - (record as number));
          return Promise.resolve();
        },
      },
    );
    // The page that is read, the one behind it, and one that the read ahead of the window has begun.
    expect(Math.max(...seen)).toBeLessThanOrEqual(2);
  });

  it('makes items that do not fit dead letters', async () => {
    const { records, letters } = await read({ schema: z.object({ id: z.number() }) }, () => ({
      text: '[{"id":1},{"id":"x"},{"id":9007199254740993},{"__proto__":1,"id":1}]',
    }));
    expect(records).toEqual([{ id: 1 }]);
    expect(letters).toEqual([
      expect.stringContaining(`Item 1 of ${URL_OF_LIST}: id: `),
      expect.stringContaining(`Item 2 of ${URL_OF_LIST}: the integer 9007199254740993 is beyond`),
      expect.stringContaining(`Item 3 of ${URL_OF_LIST}: it has the key '__proto__'`),
    ]);
  });

  it.each([
    [{}, { body: { data: [] } }, 'there is no array of items, got {"data":[]} (object)'],
    [{ items: 'data.rows' }, { body: { data: [] } }, "there is no array of items at 'data.rows', got undefined"],
    [{}, { text: '<html>' }, 'it is not JSON: '],
    [
      {},
      { body: [1], headers: { link: '<https://api.example.com/items>; rel=next' } },
      'it names itself as its next page',
    ],
    [
      {},
      { body: [1], headers: { link: '<https://evil.example/items>; rel=next' } },
      'its next page is on https://evil.example, to which the headers of this source must not be sent',
    ],
    [
      { pages: { by: 'cursor', parameter: 'c', next: () => ({}) as never } },
      { body: [1] },
      'its cursor is {} (object)',
    ],
  ] as const)('of %j fails the run for %j', async (options, reply, message) => {
    await expect(read(options, () => reply)).rejects.toThrow(`A page of ${URL_OF_LIST} cannot be read: ${message}`);
  });

  it.each([
    [{ url: 'ftp://x' }, 'Expected `url` of an httpSource to be an http: or https: URL'],
    [{ pages: { by: 'magic' } }, "Expected `pages` of an httpSource to be one of { by: 'link' }"],
    [{ pages: { by: 'number', size: 3 } }, 'Expected `pages` of an httpSource to be one of'],
    [{ pages: { by: 'cursor', parameter: 'c' } }, 'Expected `pages` of an httpSource to be one of'],
    [{ retry: { attempts: 3 } }, 'Expected `retry` of an httpSource to be made by `retryPolicy`'],
    [{ headers: { 'x\n': 'y' } }, 'Expected `headers` of an httpSource to be headers that HTTP can carry'],
  ])('is refused with %j', (wrong, message) => {
    const options = { url: URL_OF_LIST, ...wrong } as unknown as HttpSourceOptions<unknown>;
    expect(() => httpSource(options)).toThrow(message);
  });

  it('is resumed at the page of the first record that is needed', async () => {
    const kept = memoryCheckpoints();
    const pages = { by: 'cursor', parameter: 'after', next: 'next' } as const;
    const answer = ({ searchParams }: URL): { body: unknown } => {
      const n = Number(searchParams.get('after') ?? 0);
      return { body: { items: page(n), next: n < 2 ? n + 1 : null } };
    };
    const options = { pages, items: 'items' };
    const incarnation = { window: 2, checkpoints: kept.begin(), cancelAtMs: 5000 };
    const work = async (record: unknown): Promise<void> =>
      record === 4 ? new Promise(() => undefined) : Promise.resolve();
    const first = await read(options, answer, { ...incarnation, work });
    expect(first.requests).toEqual(['/items', '/items?after=1']);
    const resumeFrom = kept.last;
    const second = await read(options, answer, { checkpoints: kept.begin(), resumeFrom });
    expect([...first.records, ...second.records]).toEqual(ALL);
    expect(second.requests).toEqual(['/items?after=1', '/items?after=2']);
  });
});

describe('a Link header', () => {
  it.each([
    ['<https://a/?p=2>; rel="next"', 'https://a/?p=2'],
    ['<a>; rel=prev, <b>; rel=next', 'b'],
    ['<a,b>; title="x; rel=next"; rel="prev", <c>; REL="last NEXT"', 'c'],
    ['<a>; title="\\", <b>; rel=next"; rel=prev', undefined],
    ['next', undefined],
    [undefined, undefined],
  ])('%s leads to %s', (header, target) => {
    expect(linkTo('next', header)).toBe(target);
  });
});

describe('pages of a real server', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/list`;
  }

  const subject: SourceSubject<unknown> = {
    records: [{ id: 1 }, 0, '', false, null, 'f', 7],
    place: async (records) => {
      const url = await serve((request, response) => {
        const offset = Number(new URL(request.url ?? '', 'http://x').searchParams.get('offset'));
        response.end(JSON.stringify(records.slice(offset, offset + 2)));
      });
      return () => new HttpSource({ url, pages: { by: 'offset' } });
    },
    missing: () => new HttpSource({ url: 'http://127.0.0.1:1/list', retry: retryPolicy({ attempts: 1 }) }),
  };
  it.each(connectorContract({ source: subject }))('$name', ({ run }) => run());

  it('are requested again after the connection broke and after an attempt took too long', async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked++;
      if (asked === 1) request.socket.destroy();
      else if (asked > 2) response.end('[1,2]');
    });
    const source = new HttpSource({
      url,
      timeoutMs: 200,
      retry: retryPolicy({ baseMs: 1 }),
      headers: { 'x-api-key': 'k' },
    });
    const { contextOfTest } = await import('#lib/testing/connector-context.js');
    const [pages] = await source.open(contextOfTest('Read'), undefined);
    expect((await pages?.read(10))?.records).toEqual([1, 2]);
    expect(asked).toBe(3);
    await source.close();
  });
});
