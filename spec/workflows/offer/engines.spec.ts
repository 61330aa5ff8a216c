/** The engines of OfferWorkFlow: whatever computes the features, each member gets the same ones, and the same offer. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask } from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { startMockServer, type MockServer } from '#mock-server/index.js';
import { OfferConfig } from '#workflows/offer/config.js';
import { featureTasks } from '#workflows/offer/engines.js';
import type { MemberFeatures } from '#workflows/offer/features.js';
import { memberLines } from '#workflows/offer/generate-members.js';
import { OfferWorkFlow } from '#workflows/offer/offer-workflow.js';

const AS_OF = '2025-03-14T21:25:33Z';

/** Rows at the border of what is accepted. */
const BORDER = [
  'SPACES,2024-01-01 00:00:00,buy, +5 ,1e1',
  'DOTS,2024-01-01 23:59:59,gift,.5,5.',
  '"a ""b"", c",2024-02-29 12:00:00,redeem,-100,0',
  'LATE,2031-01-01 00:00:00,buy,1,0.1',
  'SUM,2024-01-01 00:00:00,buy,1,0.1',
  'SUM,2024-01-01 00:00:00,buy,2,0.2',
  'SUM,2024-01-01 00:00:00,buy,3,0.3',
  'SUM,2024-01-01 00:00:00,gift,4,0.7',
  'EMPTY,2024-01-01 00:00:00,buy,,1',
  'QUOTED,2024-01-01 00:00:00,buy,"",1',
];
const REFUSED = [
  'BAD,2024-02-30 00:00:00,buy,1,1',
  'BAD,2024-01-01 24:00:00,buy,1,1',
  'BAD,2024-01-01T00:00:00Z,buy,1,1',
  'BAD,2024-01-01 00:00:00,sell,1,1',
  'BAD,2024-01-01 00:00:00,buy,1_000,1',
  'BAD,2024-01-01 00:00:00,buy,1,1e999',
  'BAD,2024-01-01 00:00:00,buy,1,NaN',
];

let folder: string;
let server: MockServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-engines-'));
  const text = [...memberLines({ rows: 2000, seed: 11 })].join('');
  await writeFile(join(folder, 'members.csv'), `${text}${[...BORDER, ...REFUSED].join('\r\n')}\r\n`);
  server = await startMockServer({ port: 0 });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function configOf(engine: 'stream' | 'duckdb') {
  return {
    ...{ engine, as_of: AS_OF, csv_path: join(folder, 'members.csv') },
    ...{
      ats_url: `${server.url}/ml/ats/predict`,
      resp_url: `${server.url}/ml/resp/predict`,
      offer_url: `${server.url}/offer/assign`,
    },
    ...{ result_output_path: join(folder, `${engine}.csv`), performance_output_path: join(folder, `${engine}.json`) },
  };
}

async function featuresOn(engine: 'stream' | 'duckdb') {
  const members = new Map<string, MemberFeatures>();
  const { extract, transform } = featureTasks(OfferConfig.parse(configOf(engine)), Date.parse(AS_OF));
  const deadLetters = recordingDeadLetters();
  const flow = defineWorkflow({
    name: 'Features',
    build: (build) =>
      build
        .task('Extract', extract)
        .task('Transform', ['Extract'], transform)
        .task(
          'Keep',
          ['Transform'],
          sinkTask((member) => void members.set(member.memberId, member)),
        ),
  });
  await flow.run(undefined, { deadLetters }).finished;
  return { members, letters: deadLetters.letters };
}

describe('the engines of OfferWorkFlow', () => {
  it('compute the same features, but for the last bits of revenue', async () => {
    const [stream, duckdb] = [await featuresOn('stream'), await featuresOn('duckdb')];
    expect([...duckdb.members.keys()].sort()).toEqual([...stream.members.keys()].sort());
    for (const [id, expected] of stream.members) {
      const found = duckdb.members.get(id) as MemberFeatures;
      for (const [name, value] of Object.entries(expected) as [string, number][]) {
        const other = (found as unknown as Record<string, unknown>)[name];
        if (name.includes('REVENUE')) {
          expect(Math.abs((other as number) - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value));
        } else expect([id, name, other]).toEqual([id, name, value]);
      }
    }
  });

  it('refuse the same rows', async () => {
    const [stream, duckdb] = [await featuresOn('stream'), await featuresOn('duckdb')];
    expect(stream.letters).toHaveLength(REFUSED.length);
    expect(duckdb.letters).toHaveLength(REFUSED.length);
    const messages = duckdb.letters.map(({ message }) => message).join('\n');
    expect(messages).toContain('row 2011: lastTransactionUtcTs: expected a date that exists');
    expect(messages).toContain('lastTransactionPointsBought: expected a finite number, got 1_000');
  });

  it('lead to the same offer for each member', async () => {
    const offers = async (engine: 'stream' | 'duckdb'): Promise<string[]> => {
      await OfferWorkFlow.run(configOf(engine)).finished;
      const rows = (await readFile(join(folder, `${engine}.csv`), 'utf8')).trimEnd().split('\n').slice(1);
      // The member is the first field, and the offer the last one.
      return rows.map((row) => row.replace(/,.*,/, ' ')).sort();
    };
    const stream = await offers('stream');
    expect(stream.length).toBeGreaterThan(350);
    expect(await offers('duckdb')).toEqual(stream);
  });

  it('do not accept partitions that they do not use', () => {
    expect(() => OfferConfig.parse({ ...configOf('duckdb'), partitions: 2 })).toThrow(/engine 'stream'/);
  });
});
