/** The contract of connectors, put to connectors that keep it and to twins that are broken in one way each. */
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import {
  connectorContract,
  type ContractCase,
  type PartitionedSubject,
  type SinkSubject,
  type SourceSubject,
} from 'millrace/testing';
import { openCsvReader } from '#lib/connectors/csv/csv-reader.js';
import { CsvSink } from '#lib/connectors/csv/csv-sink.js';
import { CsvSource } from '#lib/connectors/csv/csv-source.js';
import {
  listsSource,
  listSource,
  Table,
  tableSink,
  type List,
  type PartitionFault,
  type SinkFault,
  type SourceFault,
} from './list-connectors.js';

const RECORDS = [0, 'b', '', false, null, 'f', 7];

function listSubject(fault?: SourceFault): SourceSubject<unknown> {
  let last: List | undefined;
  return {
    records: RECORDS,
    place: (items) => {
      const list: List = { items, recordsRead: 0, isOpen: false };
      last = list;
      return () => listSource(list, fault);
    },
    missing: () => listSource(undefined, fault),
    recordsRead: () => last?.recordsRead ?? 0,
  };
}

function listsSubject(fault?: PartitionFault): PartitionedSubject<unknown> {
  return {
    records: RECORDS,
    place: (partitions) => {
      const lists = [...partitions];
      return {
        make: () => listsSource(lists, fault),
        grow: (records) => {
          lists.push(records);
        },
      };
    },
  };
}

function tableSubject(keepsLineages: boolean, fault?: SinkFault): SinkSubject<unknown> {
  return {
    records: RECORDS,
    place: () => {
      const table = new Table();
      return { make: () => tableSink(table, keepsLineages, fault), read: () => table.rows };
    },
  };
}

async function failing(cases: readonly ContractCase[]): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of cases) {
    await run().catch(() => {
      failed.push(name);
    });
  }
  return failed;
}

describe('a list in memory', () => {
  it.each(connectorContract({ source: listSubject(), sink: tableSubject(false) }))('$name', ({ run }) => run());
});

describe('lists in memory as partitions', () => {
  it.each(connectorContract({ partitioned: listsSubject() }))('$name', ({ run }) => run());
});

describe('a table that keeps the lineages of its rows', () => {
  it.each(connectorContract({ sink: tableSubject(true) }))('$name', ({ run }) => run());
});

describe('a twin that is broken', () => {
  const SOURCES: Readonly<Record<SourceFault, string>> = {
    'loses its dataset': 'a source names its dataset',
    'ignores max': 'a source returns every record once and in order, at most 1 per read',
    'loses falsy records': 'a source returns falsy records like all others',
    'swaps records': 'a source returns every record once and in order, at most 2 per read',
    'never ends': 'a source of nothing is over at its first read',
    'positions lie': 'a source that is read again returns the same records from each of its positions',
    'cannot be reopened': 'a source that is closed at any moment can be opened again',
    'reads ahead': 'a source returns no more records than requested',
    'refuses a repeated settled': 'a source receives the settled records, also twice',
    'starts too late': 'a source that is read again returns the same records from each of its positions',
    'hides a missing place': 'a source that is not there rejects, and can be closed',
  };
  const SINKS: Readonly<Record<SinkFault, string>> = {
    'loses its dataset': 'a sink names its dataset',
    'loses falsy records': 'a sink shows every record once and in order, written 1 at a time',
    'writes at once': 'a sink that prepares shows nothing before it commits',
    'commits again': 'a sink shows every record once when it is killed after the commit and goes on',
    'forgets what was prepared':
      'a sink shows every record once when it is killed between the checkpoint and the commit and goes on',
    'commits when it fails': 'a sink discards what was not prepared when its run fails',
    'loses the last rows': 'a sink shows every record once and in order, written 2 at a time',
    'shows a row of its own': 'a sink that received nothing shows nothing',
    'swaps rows': 'a sink shows every record once and in order, written 2 at a time',
    'holds everything': 'a sink that keeps lineages reports those that it has stored, and no others',
    'keeps what was not prepared': 'a sink commits the same thing twice without harm',
  };

  it.each(Object.entries(SOURCES))('as a source that %s fails the case for it', async (fault, name) => {
    const failed = await failing(connectorContract({ source: listSubject(fault as SourceFault) }));
    expect(failed).toContain(name);
  });

  const PARTITIONS: Readonly<Record<PartitionFault, string>> = {
    'gives its partitions one number': 'opens each of them once',
    'has one cursor for all': 'returns each record of each partition once and in order, in turns, at most 1 per read',
    'waits for its first partition': 'returns the records of one while another is not read',
    'continues all alike': 'reads each again from its own position',
    'numbers records anew': 'reads each again from its own position',
    'skips what is needed': 'reads each again from its own position',
    'opens only what it knows': 'begins a partition that appears at its start',
    'begins a new partition late': 'begins a partition that appears at its start',
    'ends with its shortest partition': 'opens each of them once, also one without records',
    'wants the progress of all': 'receives the settled records of each',
    'reads the wrong partition': 'opens each of them once',
  };

  it.each(Object.entries(PARTITIONS))(
    'as a source with partitions that %s fails the case for it',
    async (fault, name) => {
      const all = connectorContract({ partitioned: listsSubject(fault as PartitionFault) });
      // The other cases may wait for ever with a source that waits.
      const own = all.filter((one) => one.name.includes(name));
      expect(await failing(own)).toEqual(own.map((one) => one.name));
      expect(own).toHaveLength(1);
    },
    20_000,
  );

  it.each(Object.entries(SINKS))('as a sink that %s fails the case for it', async (fault, name) => {
    const failed = await failing(connectorContract({ sink: tableSubject(true, fault as SinkFault) }));
    const alsoFailed = await failing(connectorContract({ sink: tableSubject(false, fault as SinkFault) }));
    expect([...failed, ...alsoFailed]).toContain(name);
  });

  it('is not looked for among fewer than four records', () => {
    expect(() => connectorContract({ source: { ...listSubject(), records: [1] } })).toThrow(
      'Expected `records` of a contract subject to be at least 4, got 1',
    );
  });
});

async function rowsOf(path: string): Promise<readonly Row[]> {
  const reader = await openCsvReader({ path });
  const rows: Row[] = [];
  try {
    for (;;) {
      const items = await reader.read(100);
      if (items === null) return rows;
      for (const item of items) if ('values' in item) rows.push(item.values as unknown as Row);
    }
  } finally {
    await reader.close();
  }
}

interface Row {
  readonly id: string;
  readonly text: string;
}

describe.each(['csv', 'csv.gz'])('a .%s file', (ending) => {
  const rows: readonly Row[] = [
    { id: '0', text: '' },
    { id: '1', text: 'a, "b"\nc' },
    { id: '', text: 'é' },
    { id: '3', text: 'false' },
    { id: '4', text: '0' },
  ];
  const folders: string[] = [];
  const isPacked = ending.endsWith('gz');

  async function newPath(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-contract-'));
    folders.push(folder);
    return join(folder, `rows.${ending}`);
  }
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;
  const lineOf = ({ id, text }: Row): string => `${quoted(id)},${quoted(text)}\n`;

  const source: SourceSubject<Row> = {
    records: rows,
    place: async (some) => {
      const path = await newPath();
      const text = `id,text\n${some.map(lineOf).join('')}`;
      await writeFile(path, isPacked ? gzipSync(text) : text);
      return () => new CsvSource<Row>({ path });
    },
    missing: () => new CsvSource<Row>({ path: join(tmpdir(), 'millrace-contract-none', `rows.${ending}`) }),
  };
  const sink: SinkSubject<Row> = {
    records: rows,
    place: async () => {
      const path = await newPath();
      return {
        make: () => new CsvSink<Row, keyof Row>({ path, columns: ['id', 'text'] }),
        read: async () => {
          const isThere = await access(path).then(
            () => true,
            () => false,
          );
          return isThere ? rowsOf(path) : [];
        },
        // The process lives on, so what it has open is released; a file does the same for a failure and for a death.
        kill: (dying) => dying.close?.('failed'),
      };
    },
  };

  it.each(connectorContract({ source, sink }))('$name', ({ run }) => run());
});
