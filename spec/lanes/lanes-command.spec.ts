/** `run --kafka` reports several processes as one run, keeps it, and shows how far it is. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { RunEvent } from 'millrace';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { describeWithBroker } from '../kafka/with-broker.js';
import { RECORDS, isBad } from './lane-flow.js';

const root = new URL('../../../', import.meta.url).pathname;
const FLOW = new URL('./lane-flow.js', import.meta.url).pathname;
const REPLAY_FLOW = new URL('./replay-flow.js', import.meta.url).pathname;
const LETTERS = [...new Array(RECORDS).keys()].filter(isBad).length;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

describeWithBroker('run --kafka', (broker) => {
  let folder: string;
  beforeAll(async () => {
    await mkdir(join(root, 'build'), { recursive: true });
    folder = await mkdtemp(join(root, 'build', 'lanes-command-'));
    await mkdir(join(folder, 'node_modules'));
    await symlink(root, join(folder, 'node_modules', 'millrace'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const millrace = (...words: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const all = [join(root, 'dist', 'cli.js'), ...words];
      execFile(process.execPath, all, { cwd: folder, maxBuffer: 2 ** 26 }, (error, out, errors) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, errors });
      });
    });

  it('reports two processes as one run, keeps it, and shows how far it is', async () => {
    const topic = await broker().topic(2);
    const settings = [`broker=${broker().address}`, `running=${topic}`, 'out=rows.csv'].flatMap((one) => [
      '--set',
      one,
    ]);
    const spread = ['--kafka', broker().address, '--run-id', 'kept', '--partitions', '2', ...settings];
    const { code, out, errors } = await millrace('run', FLOW, ...spread, '--workers', '2', '--json');
    expect({ code, errors: code === 3 ? '' : errors }).toEqual({ code: 3, errors: '' });
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent);
    const end = events.findLast((event) => event.type === 'run-ended');
    expect(end?.summary).toMatchObject({
      ...{ outcome: 'completed', deadLettered: LETTERS },
      tasks: { Spread: { in: RECORDS }, Ask: { in: RECORDS, deadLettered: LETTERS }, Out: { in: 20 } },
    });
    expect((await readFile(join(folder, 'rows.csv'), 'utf8')).trim().split('\n')).toHaveLength(21);

    expect((await millrace('runs')).out).toMatch(/kept.*LaneFlow.*(completed|finished)/);
    expect((await millrace('dead-letters', 'kept')).out).toContain(String(LETTERS));
    expect((await millrace('why', 'kept', '57')).out).toMatch(/Ask.*given up/);
    const replayed = await millrace('dead-letters', 'replay', 'kept');
    expect(replayed.code).toBe(3);
    expect(replayed.errors).toContain(`${LETTERS} dead letters cannot be replayed, because an aggregate`);
    expect(replayed.errors).toContain('Run kept has no dead letters that can be replayed');
    const lag = await millrace('lag', FLOW, ...spread);
    expect(lag.out).toMatch(/Spread\s+2 of 2\s+\d/);
    expect((await millrace('transactions', 'list', 'millrace.LaneFlow.kept', '--kafka', broker().address)).errors).toBe(
      '0 transactions open\n',
    );
    expect((await millrace('transactions', 'abort', '--kafka', broker().address)).code).toBe(2);
    // The sink is of the package that the workflow imports, and the lane of the bundled command.
    const client = await openClient(broker().cluster);
    const ids = (await client.transactions()).map(({ transactionalId }) => transactionalId);
    await client.close();
    expect(ids.filter((id) => id.includes('LaneFlow.kept')).sort()).not.toContainEqual(
      expect.stringMatching(/^millrace-/),
    );
    const others = [...spread.slice(0, 5), '3', ...spread.slice(6)];
    expect(await millrace('lag', FLOW, ...others)).toMatchObject({
      code: 2,
      errors: expect.stringContaining('This worker cannot join run kept') as unknown,
    });
    const letters = (await millrace('dead-letters', 'kept', '--json')).out;
    expect(letters).toContain('Spread#');
  }, 300_000);

  it('takes a name without a port as a file, if there is one', async () => {
    const plan = (): Promise<Ended> =>
      millrace('topics', 'plan', REPLAY_FLOW, '--set', 'folder=.', '--kafka', 'cluster', '--run-id', 'planned');
    expect((await plan()).errors).toContain('Expected brokers as host:port, separated by commas, or the path');
    await writeFile(join(folder, 'cluster'), JSON.stringify({ brokers: [broker().address] }));
    expect(await plan()).toMatchObject({
      code: 0,
      out: expect.stringContaining('millrace.ReplayFlow.planned') as unknown,
    });
  });

  it('replays the dead letters of a kept run in its lanes', async () => {
    const letters = async (): Promise<string> => (await millrace('dead-letters', 'fixed')).out;
    const spread = ['--kafka', broker().address, '--run-id', 'fixed', '--partitions', '2'];
    expect((await millrace('run', REPLAY_FLOW, ...spread, '--set', 'folder=.', '--quiet')).code).toBe(3);
    expect(await letters()).toMatch(/10\s+Work/);
    for (const task of ['Parse', 'Work', 'Late']) await writeFile(join(folder, task), '');
    const { code, errors } = await millrace('dead-letters', 'replay', 'fixed');
    expect({ code, errors }).toMatchObject({ code: 3, errors: expect.stringContaining('10 dead letters cannot') });
    expect(await letters()).toMatch(/10\s+Check/);
    expect(await letters()).not.toMatch(/Work|Late|Parse/);
    expect((await readFile(join(folder, 'rows.csv'), 'utf8')).trim().split('\n')).toHaveLength(201);
    expect((await millrace('why', 'fixed', '7')).out).toMatch(/Rows.*rows\.csv/);
  }, 300_000);
});
