/** Files of an object store, against a real server that checks signatures. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { z } from 'zod';
import { asyncTask, defineWorkflow, sinkTask, sourceTask, type RunOptions, type SourceTask } from 'millrace';
import { csvSink, csvSource, files } from 'millrace/csv';
import { parquetSource } from 'millrace/duckdb';
import { ndjsonSink, ndjsonSource } from 'millrace/ndjson';
import { s3Store } from 'millrace/s3';
import {
  connectorContract,
  memoryCheckpoints,
  virtualClock,
  type ContractCase,
  type MemoryCheckpoints,
  type SinkSubject,
  type SourceSubject,
} from 'millrace/testing';
import { ParquetSink } from '#lib/connectors/duckdb/parquet-sink.js';
import { ParquetSource } from '#lib/connectors/duckdb/parquet-source.js';
import { NdjsonSink } from '#lib/connectors/ndjson/ndjson-sink.js';
import { NdjsonSource } from '#lib/connectors/ndjson/ndjson-source.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { isLong } from '../../support/long.js';
import { hasCheckpoint, killedRun, resumedRun } from '../../support/killed-run.js';
import { describeWithS3 } from '../../s3/with-s3.js';

const ROOT = new URL('../../../../', import.meta.url).pathname;
const FLOW = fileURLToPath(new URL('../duckdb/modules/squares-flow.js', import.meta.url));
const MEBIBYTE = 2 ** 20;

async function read<Out>(source: SourceTask<Out>, options: RunOptions = {}): Promise<Out[]> {
  const records: Out[] = [];
  const flow = defineWorkflow({
    name: 'Read',
    build: (build) =>
      build.task('Rows', source).task(
        'Keep',
        ['Rows'],
        sinkTask((record: Out) => void records.push(record)),
      ),
  });
  await flow.run(undefined, options).finished;
  return records;
}

interface Row {
  readonly id: number;
  readonly text: string | null;
}

/** One incarnation of a run. */
interface Incarnation {
  readonly path: string;
  /** How many records it passes on before it dies. */
  readonly records: number;
  readonly checkpoints: MemoryCheckpoints;
  /** Default: the last checkpoint. */
  readonly from?: NonNullable<MemoryCheckpoints['last']>;
}

/** The cases in which most of what a format adds can go wrong; all of them in the long form. */
function shortOf(cases: readonly ContractCase[]): readonly ContractCase[] {
  const some = /written 2 at|at most 2 per|each of its positions|is not there|prepared again|after the commit and/;
  return isLong ? cases : cases.filter(({ name }) => some.test(name));
}

describeWithS3('files in an object store', (server) => {
  const linesOf = (bytes: Buffer): readonly string[] => bytes.toString().trimEnd().split('\n');

  describe('the contract', () => {
    const records = [{ id: 1, text: 'a\n"b"' }, 0, '', false, null, [1, { x: 'é' }], 'last'];
    const source: SourceSubject<unknown> = {
      records,
      place: async (some) => {
        const bucket = await server().bucket();
        await server().put(bucket, 'in.ndjson', some.map((record) => `${JSON.stringify(record)}\n`).join(''));
        return () => new NdjsonSource({ path: `s3://${bucket}/in.ndjson`, store: server().store() });
      },
      missing: () => new NdjsonSource({ path: 's3://no-such-bucket/in.ndjson', store: server().store() }),
    };
    const sinkOf = (ending: string): SinkSubject<unknown> => ({
      records,
      place: async () => {
        const bucket = await server().bucket();
        const path = `s3://${bucket}/out.${ending}`;
        return {
          make: () => new NdjsonSink<unknown>({ path, store: server().store() }),
          read: async () => {
            if (!(await server().keys(bucket)).includes(`out.${ending}`)) return [];
            const bytes = await server().get(bucket, `out.${ending}`);
            const isPacked = ending.endsWith('.gz') && bytes.length > 0;
            const text = (isPacked ? gunzipSync(bytes) : bytes).toString();
            return text
              .split('\n')
              .slice(0, -1)
              .map((line) => JSON.parse(line) as unknown);
          },
        };
      },
    });
    it.each(connectorContract({ source, sink: sinkOf('ndjson') }))('$name', ({ run }) => run());
    it.each(shortOf(connectorContract({ sink: sinkOf('ndjson.gz') })))('$name, compressed', ({ run }) => run());
  });

  it('are read and written by URLs alone, with the settings of the environment', async () => {
    const bucket = await server().bucket();
    const before = { ...process.env };
    Object.assign(process.env, server().environment());
    try {
      const flow = defineWorkflow({
        name: 'Write',
        build: (build) =>
          build
            .task('Rows', sourceTask([{ id: 'a' }, { id: 'b' }]))
            .task('File', ['Rows'], csvSink({ path: `s3://${bucket}/a folder/ü+&?#.csv.gz`, columns: ['id'] })),
      });
      await flow.run().finished;
      expect(await read(csvSource({ path: `s3://${bucket}/a folder/ü+&?#.csv.gz` }))).toEqual([
        { id: 'a' },
        { id: 'b' },
      ]);
    } finally {
      process.env = before;
    }
  });

  it('are found by patterns, in the order of their names, also over several pages', async () => {
    const bucket = await server().bucket();
    for (const name of ['in/2.csv', 'in/1.csv', 'in/3.csv.part', 'in/deep/4.csv', 'in/notes.txt', 'other/5.csv']) {
      await server().put(bucket, name, `id\n${name}\n`);
    }
    const store = server().store();
    const idsOf = async (path: string) =>
      (await read(csvSource({ path: files(`s3://${bucket}/${path}`), store }))).map(({ id }) => id);
    expect(await idsOf('in/*.csv')).toEqual(['in/1.csv', 'in/2.csv']);
    expect(await idsOf('**/*.csv')).toEqual(['in/1.csv', 'in/2.csv', 'in/deep/4.csv', 'other/5.csv']);
    await expect(idsOf('in/*.tsv')).rejects.toThrow(`No file matches s3://${bucket}/in/*.tsv; check the pattern`);
  });

  it('are read on at the next byte when connections break, and are refused when they change', async () => {
    const bucket = await server().bucket();
    const rows = Array.from({ length: 60_000 }, (_, id) => ({ id }));
    await server().put(bucket, 'in.ndjson', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const proxy = await server().proxy();
    try {
      const store = server().store(proxy.endpoint);
      const path = `s3://${bucket}/in.ndjson`;
      proxy.cuts = { count: 4, afterBytes: 150_000 };
      expect(await read(ndjsonSource({ path, store }))).toEqual(rows);
      expect(proxy.cuts.count).toBe(0);
      proxy.cuts = { count: 1, afterBytes: 200_000 };
      const changing = read(
        ndjsonSource({
          path,
          store,
          // The reader waits until the other object is there, and connects again after that.
          output: z.object({ id: z.number() }).refine(async ({ id }) => {
            if (id === 0) await server().put(bucket, 'in.ndjson', '{"id":1}\n');
            return true;
          }),
        }),
        { window: 16 },
      );
      await expect(changing).rejects.toThrow(`${path} changed while it was read: another object took its place`);
    } finally {
      await proxy.stop();
    }
  });

  it('are held back while the run is slow: the store sends no more than is asked for', async () => {
    const bucket = await server().bucket();
    const line = `"${'x'.repeat(1023)}"\n`;
    await server().put(bucket, 'in.ndjson', line.repeat(64 * 1024));
    const proxy = await server().proxy();
    try {
      const flow = defineWorkflow({
        name: 'Slow',
        build: (build) =>
          build
            .task('Rows', ndjsonSource({ path: `s3://${bucket}/in.ndjson`, store: server().store(proxy.endpoint) }))
            .task(
              'Stop',
              ['Rows'],
              asyncTask(() => new Promise<never>(() => undefined)),
            ),
      });
      const run = flow.run(undefined, { window: 16 });
      // The sockets on the way hold some megabytes.
      let before = -1;
      while (proxy.bytes === 0 || proxy.bytes !== before) {
        before = proxy.bytes;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      expect(proxy.bytes).toBeLessThan(32 * MEBIBYTE);
      run.cancel();
      expect((await run.finished).outcome).toBe('cancelled');
    } finally {
      await proxy.stop();
    }
  });

  describe('a large result', () => {
    const TEXT = 'x'.repeat(100 * 1024);
    const COUNT = 220;
    const expected = Array.from({ length: COUNT }, (_, id) => JSON.stringify({ id, text: TEXT }));

    /** Runs until an incarnation has passed on `records` records, and dies. */
    const live = async ({ path, records, checkpoints, from }: Incarnation, dies: 'cancelled' | 'completed') => {
      const clock = virtualClock();
      let left = records;
      const flow = defineWorkflow({
        name: 'Large',
        build: (build) =>
          build
            .task('Numbers', sourceTask(Array.from({ length: COUNT }, (_, id) => id)))
            .task(
              'Text',
              ['Numbers'],
              asyncTask((id) => (left-- > 0 ? { id, text: TEXT } : new Promise<never>(() => undefined)), {
                ordered: true,
              }),
            )
            .task('File', ['Text'], ndjsonSink({ path, store: server().store() })),
      });
      const last = from ?? checkpoints.last;
      const run = flow.run(undefined, {
        clock,
        checkpoints: checkpoints.begin(),
        window: 8,
        ...(last && { resumeFrom: last }),
      });
      clock.schedule(60_000, () => {
        run.cancel();
      });
      const { outcome } = await clock.runUntil(run.finished);
      expect(outcome).toBe(dies);
    };

    it('appears when it is complete, over several incarnations, and leaves nothing else behind', async () => {
      const bucket = await server().bucket();
      const path = `s3://${bucket}/out.ndjson`;
      const checkpoints = memoryCheckpoints();
      for (let incarnation = 0; incarnation < 2; incarnation++) {
        await live({ path, records: 90, checkpoints }, 'cancelled');
        const keys = await server().keys(bucket);
        // The bytes after the last part, at the last point and perhaps at the one before it.
        expect(keys.length).toBeLessThanOrEqual(2);
        for (const key of keys) expect(key).toMatch(/^out\.ndjson\.[0-9a-f]{12}-[0-9a-f]{12}-\d+\.part$/);
        expect(await server().uploads(bucket)).toHaveLength(1);
      }
      const { last } = checkpoints;
      await live({ path, records: COUNT, checkpoints }, 'completed');
      expect(linesOf(await server().get(bucket, 'out.ndjson'))).toEqual(expected);
      expect(await server().keys(bucket)).toEqual(['out.ndjson']);
      expect(await server().uploads(bucket)).toEqual([]);
      // A process that dies after it has completed the result and before the run has ended continues from its point.
      await live({ path, records: COUNT, checkpoints: memoryCheckpoints(), ...(last && { from: last }) }, 'completed');
      expect(linesOf(await server().get(bucket, 'out.ndjson'))).toEqual(expected);
      expect(await server().uploads(bucket)).toEqual([]);
    });

    it('is aborted when the run fails and keeps nothing', async () => {
      const bucket = await server().bucket();
      const flow = defineWorkflow({
        name: 'Fails',
        build: (build) =>
          build
            .task(
              'Rows',
              sourceTask(function* () {
                for (let id = 0; id < COUNT; id++) yield { id, text: TEXT };
                throw new Error('the end');
              }),
            )
            .task('File', ['Rows'], ndjsonSink({ path: `s3://${bucket}/out.ndjson`, store: server().store() })),
      });
      await expect(flow.run().finished).rejects.toThrow('the end');
      expect(await server().uploads(bucket)).toEqual([]);
      expect(await server().keys(bucket)).toEqual([]);
    });

    it('is refused when its upload is gone', async () => {
      const bucket = await server().bucket();
      const path = `s3://${bucket}/out.ndjson`;
      const checkpoints = memoryCheckpoints();
      await live({ path, records: 90, checkpoints }, 'cancelled');
      await server().abort(bucket, 'out.ndjson');
      await expect(live({ path, records: 1, checkpoints }, 'cancelled')).rejects.toThrow(
        `Cannot go on with ${path}: the upload does not exist any more`,
      );
    });
  });

  describe('of Parquet', () => {
    const columns = { id: 'INTEGER', text: 'VARCHAR' } as const;
    const records: readonly Row[] = [
      { id: 0, text: '' },
      { id: 1, text: 'a, "b"\nc' },
      { id: 2, text: null },
      { id: 3, text: 'é' },
    ];
    const placeOf = async () => {
      const bucket = await server().bucket();
      const place = { path: `s3://${bucket}/rows.parquet`, store: server().store() };
      return { bucket, place };
    };
    const sink: SinkSubject<Row> = {
      records,
      place: async () => {
        const { bucket, place } = await placeOf();
        return {
          make: () => new ParquetSink<Row, keyof Row>({ ...place, columns }),
          read: async () =>
            (await server().keys(bucket)).includes('rows.parquet') ? read(parquetSource<Row>(place)) : [],
        };
      },
    };
    const source: SourceSubject<Row> = {
      records,
      place: async (rows) => {
        const { place } = await placeOf();
        const opened = new ParquetSink<Row, keyof Row>({ ...place, columns });
        await opened.open(contextOfTest('File'), undefined);
        const encoded = rows.map((row) => opened.encode(row));
        const numbers = rows.map((_, i) => i);
        if (rows.length > 0) await opened.write({ root: 'r', partition: 0, numbers, rows: encoded });
        await opened.close('completed');
        return () => new ParquetSource<Row>(place);
      },
      missing: () => new ParquetSource<Row>({ path: 's3://no-such-bucket/rows.parquet', store: server().store() }),
    };
    it.each(shortOf(connectorContract({ source, sink })))('$name', ({ run }) => run());
  });

  it('are whole when the process that writes them is killed, and another one continues', async () => {
    const bucket = await server().bucket();
    const folder = await mkdtemp(join(tmpdir(), 'millrace-s3-'));
    const options = { folder, env: server().environment() };
    const ROWS = 1500;
    try {
      const settings = ['--set', `rows=${ROWS}`, '--set', `place=s3://${bucket}/`];
      const isTime = async (): Promise<boolean> => hasCheckpoint(folder) && (await server().keys(bucket)).length > 0;
      const id = await killedRun(['--workflow', FLOW, ...settings], options, isTime);
      expect(await server().keys(bucket)).not.toContain('squares.parquet');
      await resumedRun(id, options);
      expect(await server().keys(bucket)).toEqual(['squares.ndjson.gz', 'squares.parquet']);
      expect(await server().uploads(bucket)).toEqual([]);
      const squares = Array.from({ length: ROWS }, (_, n) => ({ id: n, square: n * n }));
      const store = server().store();
      expect(await read(ndjsonSource({ path: `s3://${bucket}/squares.ndjson.gz`, store }))).toEqual(squares);
      expect(await read(parquetSource({ path: `s3://${bucket}/squares.parquet`, store }))).toEqual(squares);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 180_000);

  it('are written and read as the guide says', async () => {
    const guide = await readFile(join(ROOT, 'docs', 's3.md'), 'utf8');
    const [code = ''] = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string);
    const folder = join(ROOT, 'build', 's3-guide');
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'block.js');
    const { outputText } = ts.transpileModule(code, { compilerOptions: { target: ts.ScriptTarget.ES2023 } });
    await writeFile(file, outputText);
    await server().bucket('sales');
    const env = { ...process.env, ...server().environment() };
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env });
    const printed = [...code.matchAll(/^\/\/ prints: (.*)$/gm)].map(([, line]) => line);
    expect(stdout.trimEnd().split('\n')).toEqual(printed);
    expect(printed).toHaveLength(2);
  });

  it('end a run with one sentence for what is wrong', async () => {
    const bucket = await server().bucket();
    const messageOf = (path: string, options: Parameters<typeof s3Store>[0] = {}) => {
      const { endpoint, credentials } = server();
      const store = s3Store({ endpoint, credentials, region: 'us-east-1', ...options });
      return read(ndjsonSource({ path, store })).then(
        () => '',
        (error: unknown) => (error as Error).message,
      );
    };
    const path = `s3://${bucket}/none.ndjson`;
    expect(await messageOf(path)).toBe(`Cannot read ${path}: there is no such object; check the bucket and the name`);
    const wrong = { ...server().credentials, secretAccessKey: 'wrong' };
    expect(await messageOf(path, { credentials: wrong })).toMatch(/access is denied; check the credentials/);
    expect(await messageOf(path, { credentials: () => ({ ...wrong, accessKeyId: 'unknown' }) })).toMatch(
      /check the credentials/,
    );
    expect(() => s3Store({ endpoint: 'localhost' })).toThrow(
      "Expected the endpoint of an object store to be a URL such as 'https://s3.example.com', got 'localhost'",
    );
    const write = (to: string) =>
      defineWorkflow({
        name: 'Write',
        build: (build) =>
          build.task('Rows', sourceTask([1])).task('File', ['Rows'], ndjsonSink({ path: to, store: server().store() })),
      }).run().finished;
    await expect(write('s3://no-such-bucket/out.ndjson')).rejects.toThrow(
      'Cannot write s3://no-such-bucket/out.ndjson: there is no such bucket; check its name',
    );
    await expect(write(`s3://${bucket}/`)).rejects.toThrow('it names no object');
    await server().put(bucket, 'package.json', '{"name":"a package"}');
    await expect(write(`s3://${bucket}/package.json`)).rejects.toThrow('it holds something else');
  });

  it('may be compressed, and have an encoding', async () => {
    const bucket = await server().bucket();
    await server().put(bucket, 'in.csv.gz', gzipSync(Buffer.from('name\nJosé\n', 'latin1')));
    const path = `s3://${bucket}/in.csv.gz`;
    const store = server().store();
    expect(await read(csvSource({ path, store, encoding: 'latin1' }))).toEqual([{ name: 'José' }]);
    await server().put(bucket, 'in.csv', Buffer.from('name\nJosé\n', 'latin1'));
    await expect(read(csvSource({ path: `s3://${bucket}/in.csv`, store }))).rejects.toThrow('is not UTF-8');
  });
});
