/** NDJSON as a source and a sink of workflows. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  connectorContract,
  memoryCheckpoints,
  virtualClock,
  type SinkSubject,
  type SourceSubject,
} from 'millrace/testing';
import { ndjsonSink, ndjsonSource, type NdjsonSourceOptions } from 'millrace/ndjson';
import { asyncTask, defineWorkflow, sinkTask, syncTask, type DeadLetter, type RunSummary } from 'millrace';
import { z } from 'zod';
import { openJsonReader } from '#lib/connectors/ndjson/json-reader.js';
import { NdjsonSink } from '#lib/connectors/ndjson/ndjson-sink.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { NdjsonSource } from '#lib/connectors/ndjson/ndjson-source.js';

let folder = '';
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ndjson-'));
});
afterAll(() => rm(folder, { recursive: true }));

const newPath = (ending: string): string => join(folder, `${made++}.${ending}`);

async function valuesOf(path: string): Promise<unknown[]> {
  const values: unknown[] = [];
  const reader = await openJsonReader({ path });
  for (let items = await reader.read(100); items !== null; items = await reader.read(100)) {
    for (const item of items) values.push('error' in item ? item.error : item.value);
  }
  return values;
}

interface Read {
  readonly records: readonly unknown[];
  readonly letters: readonly DeadLetter[];
  readonly summary: RunSummary;
}

async function read<Out>(options: NdjsonSourceOptions<Out>): Promise<Read> {
  const records: unknown[] = [];
  const letters: DeadLetter[] = [];
  const flow = defineWorkflow({
    name: 'Read',
    build: (tasks) =>
      tasks.task('Read', ndjsonSource(options)).task(
        'Collect',
        ['Read'],
        sinkTask((record) => {
          records.push(record);
        }),
      ),
  });
  const run = flow.run();
  run.events$.subscribe({
    next: (event) => event.type === 'dead-letter' && letters.push(event.letter),
    error: () => undefined,
  });
  return { records, letters, summary: await run.finished };
}

async function write(path: string, records: readonly unknown[]): Promise<RunSummary> {
  const source = newPath('ndjson');
  await writeFile(source, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  const flow = defineWorkflow({
    name: 'Write',
    build: (tasks) => tasks.task('Read', ndjsonSource({ path: source })).task('Write', ['Read'], ndjsonSink({ path })),
  });
  return flow.run().finished;
}

/** Writes a file of this text. */
async function fileOf(text: string, ending = 'ndjson'): Promise<string> {
  const path = newPath(ending);
  await writeFile(path, ending.endsWith('gz') ? gzipSync(text) : text);
  return path;
}

describe('an ndjsonSource', () => {
  it('gives the values of the lines, with dead letters that name file and line', async () => {
    const path = newPath('ndjson');
    await writeFile(path, '{"id":1}\n\n{"id":\n{"id":"x"}\n{"id":4}\n');
    const { records, letters } = await read({ path, schema: z.object({ id: z.number() }) });
    expect(records).toEqual([{ id: 1 }, { id: 4 }]);
    expect(letters.map(({ record, message }) => [record, message])).toEqual([
      [{ line: 3, text: '{"id":' }, expect.stringContaining(`${path}, line 3: it is not JSON`)],
      [{ line: 4, value: { id: 'x' } }, expect.stringContaining(`${path}, line 4: id: `)],
    ]);
  });

  it('ends the run for a schema that is asynchronous, with no dead letters', async () => {
    const path = newPath('ndjson');
    await writeFile(path, '1\n');
    const schema = z.number().refine(() => Promise.resolve(true));
    await expect(read({ path, schema })).rejects.toThrow('is asynchronous');
  });

  it.each([
    [{ format: 'tree' }, "Expected `format` of an ndjsonSource to be 'lines' or 'array', got \"tree\" (string)"],
    [{ encoding: 'utf9' }, "Did you mean 'utf8'?"],
    [{ paths: 1 }, 'An ndjsonSource has no option `paths`. Did you mean `path`?'],
    [{ path: 7 }, 'Expected `path` of an ndjsonSource to be a path, or made by `files`, got 7 (number)'],
  ])('refuses %j', (wrong, message) => {
    const options = { path: 'x', ...wrong } as unknown as NdjsonSourceOptions<unknown>;
    expect(() => ndjsonSource(options)).toThrow(message);
  });

  it('finds the records that contain a value', async () => {
    const path = newPath('ndjson');
    await writeFile(path, '{"id":7}\n{"in":["x",{"of":"7"}]}\nseven 7\n{"id":"77"}\n');
    const found: unknown[] = [];
    for await (const { where, what, lineage, isOver } of new NdjsonSource({ path }).find('7')) {
      found.push([where, what.slice(0, 8), lineage, isOver]);
    }
    expect(found).toEqual([
      [`${path}, line 1`, 'read: {"', 0, false],
      [`${path}, line 2`, 'read: {"', 1, false],
      [`${path}, line 3`, 'given up', 2, true],
    ]);
  });
});

/** JSON values, as any program may write them. -0 is left out: JSON.stringify writes it as 0. */
const json = (): fc.Arbitrary<unknown> => {
  const key = fc.string({ unit: 'binary', maxLength: 8 }).filter((name) => name !== '__proto__');
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\ud800', '\udc00', '"', '\\', '\n', '\r', '\u2028', '\0', '\uFEFF', ':') }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
      fc.maxSafeInteger(),
      fc.constantFrom(null, true, false, 2 ** 53, 2 ** 64, 1e21, 5e-324, Number.MAX_VALUE),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  return tree;
};

describe('an ndjsonSink', () => {
  it.each(['ndjson', 'ndjson.gz'])(
    'writes what the source reads back as equal records, to a .%s file',
    async (ending) => {
      await fc.assert(
        fc.asyncProperty(fc.array(json(), { maxLength: 20 }), async (values) => {
          const path = newPath(ending);
          const sink = new NdjsonSink<unknown>({ path });
          await sink.open(contextOfTest('Write'), undefined);
          await sink.write({
            root: 'Read',
            partition: 0,
            numbers: [],
            rows: values.map((value) => sink.encode(value)),
          });
          await sink.close('completed');
          expect(await valuesOf(path)).toEqual(values);
        }),
        { numRuns: Number(process.env['NDJSON_RUNS'] ?? 50) },
      );
    },
  );

  it('needs the folder of its result before the run, as a csvSink does', async () => {
    const sink = new NdjsonSink({ path: 'no/out.ndjson' });
    await expect(sink.check()).rejects.toThrow(/no.out\.ndjson/);
  });

  it('gives up a record that JSON cannot represent, and no other', async () => {
    const path = newPath('jsonl');
    const values: unknown[] = [
      1,
      Number.NaN,
      { a: [undefined] },
      new Map(),
      { a: { b: 5n } },
      { d: new Date(Number.NaN) },
      'x',
    ];
    const letters: string[] = [];
    const source = await fileOf('0\n1\n2\n3\n4\n5\n6\n');
    const flow = defineWorkflow({
      name: 'Write',
      build: (tasks) =>
        tasks
          .task('Read', ndjsonSource({ path: source }))
          .task(
            'Make',
            ['Read'],
            syncTask((n) => ({ value: values[n as number] })),
          )
          .task('Write', ['Make'], ndjsonSink({ path, value: ({ value }: { value: unknown }) => value })),
    });
    const run = flow.run();
    run.events$.subscribe((event) => event.type === 'dead-letter' && letters.push(event.letter.message));
    await run.finished;
    expect(await readFile(path, 'utf8')).toBe('1\n"x"\n');
    expect(letters).toEqual([
      'JSON cannot represent NaN (number): convert it to text or a number, or leave it out',
      "JSON cannot represent undefined at 'a[0]': convert it to text or a number, or leave it out",
      'JSON cannot represent a Map: convert it to text or a number, or leave it out',
      expect.stringMatching(/^JSON cannot represent the record: .*BigInt.*; write it as a string$/),
      "JSON cannot represent an invalid Date at 'd': convert it to text or a number, or leave it out",
    ]);
  });

  it('replaces files of JSON lines, and no others', async () => {
    const path = newPath('json');
    await writeFile(path, '{"name":"a package"}\n');
    await expect(write(path, [1])).rejects.toThrow('it holds something else, which they would replace');
    const own = newPath('ndjson');
    await writeFile(own, 'anything\n');
    await write(own, [1, { a: 2 }]);
    expect(await readFile(own, 'utf8')).toBe('1\n{"a":2}\n');
  });

  it('continues a compressed file at the last checkpoint of a run that died', async () => {
    const path = newPath('ndjson.gz');
    const source = newPath('ndjson.gz');
    const numbers = Array.from({ length: 5000 }, (_, n) => n);
    await writeFile(source, gzipSync(numbers.map((n) => `{"n":${n}}\n`).join('')));
    const kept = memoryCheckpoints();
    let outcome = '';
    for (let incarnation = 0; outcome !== 'completed' && incarnation < 20; incarnation++) {
      const clock = virtualClock();
      let left = 1200;
      const work = async (record: { n: number }): Promise<{ n: number }> =>
        left-- > 0 ? Promise.resolve(record) : new Promise(() => undefined);
      const flow = defineWorkflow({
        name: 'Dies',
        build: (tasks) =>
          tasks
            .task('Read', ndjsonSource({ path: source, schema: z.object({ n: z.number() }) }))
            .task('Die', ['Read'], asyncTask(work, { ordered: true }))
            .task('Write', ['Die'], ndjsonSink({ path })),
      });
      const { last } = kept;
      const run = flow.run(undefined, {
        clock,
        checkpoints: kept.begin(),
        window: 64,
        ...(last && { resumeFrom: last }),
      });
      clock.schedule(5000, () => {
        run.cancel();
      });
      ({ outcome } = await clock.runUntil(run.finished));
    }
    expect(outcome).toBe('completed');
    const lines = gunzipSync(await readFile(path))
      .toString()
      .trimEnd()
      .split('\n');
    expect(lines).toEqual(numbers.map((n) => `{"n":${n}}`));
  });
});

const RECORDS = [{ id: 1, text: 'a\n"b"' }, 0, '', false, null, [1, { x: 'é' }], 'last'];

describe.each(['ndjson', 'ndjson.gz', 'json'])('a .%s file', (ending) => {
  const isArray = ending === 'json';
  const source: SourceSubject<unknown> = {
    records: RECORDS,
    place: async (records) => {
      const texts = records.map((record) => JSON.stringify(record));
      const path = await fileOf(isArray ? `[${texts.join(',\n')}]` : texts.map((text) => `${text}\n`).join(''), ending);
      return () => new NdjsonSource({ path, ...(isArray && { format: 'array' }) });
    },
    missing: () => new NdjsonSource({ path: join(folder, 'none', `rows.${ending}`) }),
  };
  const sink: SinkSubject<unknown> = {
    records: RECORDS,
    place: () => {
      const path = newPath(ending);
      return {
        make: () => new NdjsonSink<unknown>({ path }),
        read: async () => (existsSync(path) ? valuesOf(path) : []),
        // The process lives on, so what it has open is released; a file does the same for a failure and for a death.
        kill: (dying) => dying.close?.('failed'),
      };
    },
  };
  it.each(connectorContract(isArray ? { source } : { source, sink }))('$name', ({ run }) => run());
});
