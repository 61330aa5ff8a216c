import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { link, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunSummary } from 'millrace';
import { startMockServer, type MockServer, type MockServerOptions } from '#mock-server/index.js';
import { memberLines } from '#workflows/offer/generate-members.js';
import { OfferWorkFlow } from '#workflows/offer/offer-workflow.js';
import { parseUtc } from '#workflows/offer/transaction.js';

const AS_OF = '2025-03-14T21:25:33Z';
const TASKS = [
  'Extract',
  'Transform',
  'ATS Predict',
  'RESP Predict',
  'ATS-RESP Combiner',
  'Offer Recommendation',
  'Load',
];

/** What the result must say, worked out from the rows in the plainest way. */
function expectedResult(lines: readonly string[]): Map<string, { ats: number; resp: number; offer: string }> {
  const members = new Map<string, { at: number; type: string; points: number; revenue: number }[]>();
  for (const line of lines.slice(1)) {
    const [member, at, type, points, revenue] = line.trimEnd().split(',') as [string, string, string, string, string];
    if ([member, at, type, points, revenue].includes('')) continue;
    const rows = members.get(member) ?? [];
    rows.push({ at: parseUtc(at) as number, type, points: Number(points), revenue: Number(revenue) });
    members.set(member, rows);
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return new Map(
    [...members].map(([member, rows]) => {
      const last = rows
        .map((row, index) => ({ ...row, index }))
        .sort((a, b) => b.at - a.at || b.index - a.index)
        .slice(0, 3);
      const share = (type: string): number => rows.filter((row) => row.type === type).length / rows.length;
      const [buy, gift, redeem] = [share('buy'), share('gift'), share('redeem')] as const;
      const days = Math.max(0, Math.floor((Date.parse(AS_OF) - (last[0]?.at ?? 0)) / 86_400_000));
      const points = 0.7 * mean(last.map((row) => row.points)) + 0.3 * mean(rows.map((row) => row.points));
      const revenue = 0.3 * mean(rows.map((row) => row.revenue)) + 0.7 * mean(last.map((row) => row.revenue));
      const ats = Math.abs(points * Math.max(0, buy + gift - redeem));
      const resp = Math.min(0.9, (1000 * (0.4 * buy + 0.3 * gift + 0.3 * redeem) * (revenue / 100)) / (days + 1));
      return [member, { ats, resp, offer: ats * resp >= 200 ? 'OFFER_2' : 'OFFER_1' }];
    }),
  );
}

describe('OfferWorkFlow', () => {
  let folder: string;
  const lines = [...memberLines({ rows: 600, seed: 3 })];
  const expected = expectedResult(lines);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-offer-'));
    await writeFile(join(folder, 'members.csv'), lines.join(''));
    await writeFile(join(folder, 'members.csv.gz'), gzipSync(lines.join('')));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  async function offer(
    name: string,
    options: {
      input?: string;
      window?: number;
      server?: MockServerOptions;
      onServer?: (server: MockServer) => void;
      config?: Readonly<Record<string, unknown>>;
    } = {},
  ): Promise<{ summary: RunSummary; path: string }> {
    const server = await startMockServer(options.server);
    options.onServer?.(server);
    const path = join(folder, name);
    try {
      const run = OfferWorkFlow.run({
        csv_path: join(folder, options.input ?? 'members.csv'),
        ats_url: `${server.url}/ml/ats/predict`,
        resp_url: `${server.url}/ml/resp/predict`,
        offer_url: `${server.url}/offer/assign`,
        result_output_path: path,
        performance_output_path: `${path}.json`,
        as_of: AS_OF,
        window: options.window,
        ...options.config,
      });
      return { summary: await run.finished, path };
    } finally {
      await server.stop();
    }
  }

  it('writes one row a member, in the order in which members first appear', async () => {
    const { summary, path } = await offer('result.csv');
    const rows = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(rows[0]).toBe(
      'memberId,LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT,LAST_3_TRANSACTIONS_AVG_REVENUE_USD,DAYS_SINCE_LAST_TRANSACTION,' +
        'AVG_POINTS_BOUGHT,AVG_REVENUE_USD,PCT_GIFT_TRANSACTIONS,PCT_REDEEM_TRANSACTIONS,PCT_BUY_TRANSACTIONS,ATS,RESP,OFFER',
    );
    expect(rows.slice(1).map((row) => row.split(',')[0])).toEqual([...expected.keys()]);
    for (const row of rows.slice(1)) {
      const fields = row.split(',');
      const wanted = expected.get(fields[0] as string);
      expect(Number(fields[9])).toBeCloseTo(wanted?.ats as number, 6);
      expect(Number(fields[10])).toBeCloseTo(wanted?.resp as number, 9);
      expect(fields[11]).toBe(wanted?.offer);
    }
    expect(Object.keys(summary.tasks)).toEqual(expect.arrayContaining(TASKS));
    expect(summary.outcome).toBe('completed');
  });

  it('counts every row: read, skipped with its reason, or in a member', async () => {
    const { summary } = await offer('counted.csv');
    const extract = summary.tasks['Extract'];
    const incomplete = lines.slice(1).filter((line) => line.trimEnd().split(',').includes(''));
    expect(extract?.in).toBe(600);
    expect(extract?.skipped).toBe(incomplete.length);
    expect(Object.keys(extract?.skipReasons ?? {})).toEqual(
      expect.arrayContaining(['missing lastTransactionUtcTs', 'missing memberId']),
    );
    expect(summary.tasks['Transform']?.in).toBe(600 - incomplete.length);
    expect(summary.tasks['Load']?.out).toBe(expected.size);
  });

  it('gives the same bytes however slow and unordered the answers are, with any window', async () => {
    const plain = await readFile((await offer('plain.csv')).path);
    for (const [index, window] of [1, 7, 500].entries()) {
      const server = { latency: 'lognormal:2:1', seed: index };
      const { path } = await offer(`slow-${window}.csv`, { window, server });
      expect((await readFile(path)).equals(plain)).toBe(true);
    }
  }, 60_000);

  it('reads and writes .csv.gz', async () => {
    const plain = await readFile((await offer('plain-2.csv')).path);
    const { path } = await offer('packed.csv.gz', { input: 'members.csv.gz' });
    expect(gunzipSync(await readFile(path)).equals(plain)).toBe(true);
  });

  it('writes dead letters for what an upstream refuses, and goes on with the others', async () => {
    const { summary, path } = await offer('refused.csv', {
      server: { faults: { route: '/ml/ats/predict', errorRates: { '422': { p: 1, times: 5 } } } },
    });
    const letters = (await readFile(`${path}.dead-letters.ndjson`, 'utf8')).trimEnd().split('\n');
    expect(letters.length).toBe(5);
    for (const line of letters) {
      const letter = JSON.parse(line) as Record<string, unknown>;
      expect(letter).toMatchObject({ task: 'ATS Predict', code: 'MILLRACE_HTTP_STATUS', attempts: 1 });
      expect(expected.has((letter['record'] as { memberId: string }).memberId)).toBe(true);
    }
    expect(summary.deadLettered).toBe(5);
    const rows = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(rows.length - 1).toBe(expected.size - 5);
  });

  it('writes a row with empty cells, and no dead letter, where a prediction failed and the config asks for it', async () => {
    const { summary, path } = await offer('empty.csv', {
      server: { faults: { route: '/ml/ats/predict', errorRates: { '422': { p: 1, times: 5 } } } },
      config: { on_failed_prediction: 'empty' },
    });
    const rows = (await readFile(path, 'utf8')).trimEnd().split('\n').slice(1);
    const empty = rows.map((row) => row.split(',')).filter((fields) => fields[9] === '');
    expect([summary.deadLettered, rows.length, empty.length]).toEqual([0, expected.size, 5]);
    for (const [member, ...fields] of empty) {
      // The other prediction is there; without both of them there is no offer.
      expect(Number(fields[9])).toBeCloseTo(expected.get(member as string)?.resp as number, 9);
      expect(fields[10]).toBe('');
    }
  });

  it('writes Success and Failed as the earlier tool did, where the config asks for it', async () => {
    const { path } = await offer('legacy.csv', { config: { legacy_summary: true } });
    const { tasks } = JSON.parse(await readFile(`${path}.json`, 'utf8')) as {
      tasks: Record<string, { status: string }>;
    };
    expect(TASKS.map((name) => tasks[name]?.status)).toEqual(TASKS.map(() => 'Success'));
  });

  it('writes whatever text the upstream gives as an offer', async () => {
    const name = '20 % off, "today" – für alle';
    const offers = createServer((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify({ offer: name })));
    }).listen(0, '127.0.0.1');
    await once(offers, 'listening');
    try {
      const { port } = offers.address() as AddressInfo;
      const { path } = await offer('text.csv', { config: { offer_url: `http://127.0.0.1:${port}/` } });
      const rows = (await readFile(path, 'utf8')).trimEnd().split('\n').slice(1);
      expect(rows).toHaveLength(expected.size);
      expect(rows.every((row) => row.endsWith(',"20 % off, ""today"" – für alle"'))).toBe(true);
    } finally {
      offers.close();
    }
  });

  it('writes the performance summary with the keys of the earlier tool', async () => {
    const { path } = await offer('summary.csv');
    const summary = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Record<string, unknown>;
    expect(summary).toMatchObject({
      name: 'OfferWorkFlow',
      'total_execution_time (sec)': expect.any(Number),
      UTC_time_of_completion: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    for (const task of TASKS) {
      expect((summary['tasks'] as Record<string, unknown>)[task]).toMatchObject({
        status: 'completed',
        'execution_time (sec)': expect.any(Number),
        processed_item_count: expect.any(Number),
        item_failure_count: 0,
        'throughput (item/sec)': expect.any(Number),
      });
    }
  });

  it.each(['http', 'ws'])('asks its own mock server directly, whatever proxy is set: %s', async (transport) => {
    const nobody = 'http://127.0.0.1:9';
    const before = { ...process.env };
    Object.assign(process.env, { HTTP_PROXY: nobody, http_proxy: nobody, NO_PROXY: '', no_proxy: '' });
    try {
      const urls = { ats_url: undefined, resp_url: undefined, offer_url: undefined, transport };
      const { summary } = await offer(`proxy-${transport}.csv`, { config: urls });
      expect(summary.tasks['Load']).toMatchObject({ out: expected.size, deadLettered: 0 });
    } finally {
      for (const name of ['HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy']) {
        const value = before[name];
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
    }
  });

  it('starts the mock server itself where no URL is given, says so, and leaves nothing of it behind', async () => {
    const run = OfferWorkFlow.run({
      csv_path: join(folder, 'members.csv'),
      result_output_path: join(folder, 'own.csv'),
      performance_output_path: join(folder, 'own.json'),
    });
    const notices: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    await run.finished;
    expect(notices).toEqual([
      expect.stringMatching(
        /^The config has no ats_url, resp_url, offer_url: started the mock server on http:\/\/127\.0\.0\.1:\d+ for this run$/,
      ),
    ]);
    const url = /http:\S+/.exec(notices[0] as string)?.[0] as string;
    await expect(fetch(url)).rejects.toThrow();
  });

  it.each([
    ['the result', { result_output_path: 'members.csv' }],
    ['the summary', { performance_output_path: './members.csv' }],
    ['the dead letters', { dead_letter_path: 'x/../members.csv' }],
  ])('never writes %s over its input', (_, paths) => {
    const named = Object.entries(paths).map(([key, path]) => [key, join(folder, path)]);
    const others = { result_output_path: join(folder, 'r.csv'), performance_output_path: join(folder, 's.json') };
    const config = {
      csv_path: join(folder, 'members.csv'),
      ...others,
      ...(Object.fromEntries(named) as Partial<typeof others>),
    };
    expect(() => OfferWorkFlow.run(config)).toThrow('expected another file than csv_path');
  });

  it('never overwrites its input under another name', async () => {
    const input = join(folder, 'members.csv');
    const before = await readFile(input);
    await link(input, join(folder, 'hard-link.csv'));
    const config = {
      csv_path: input,
      result_output_path: join(folder, 'hard-link.csv'),
      performance_output_path: join(folder, 'same.json'),
    };
    expect(() => OfferWorkFlow.run(config)).toThrow("'Load' would write over what 'Extract' reads");
    expect((await readFile(input)).equals(before)).toBe(true);
  });

  it('leaves no result under its name when the run is cancelled', async () => {
    const server = await startMockServer({ latency: 50 });
    const path = join(folder, 'cancelled.csv');
    const run = OfferWorkFlow.run({
      csv_path: join(folder, 'members.csv'),
      ats_url: `${server.url}/ml/ats/predict`,
      resp_url: `${server.url}/ml/resp/predict`,
      offer_url: `${server.url}/offer/assign`,
      result_output_path: path,
      performance_output_path: `${path}.json`,
      window: 10,
    });
    run.output$('Load').subscribe(() => {
      run.cancel();
    });
    const summary = await run.finished;
    await server.stop();
    expect(summary.outcome).toBe('cancelled');
    await expect(readFile(path)).rejects.toThrow();
    expect((await readFile(`${path}.part`, 'utf8')).startsWith('memberId,')).toBe(true);
  });
});
