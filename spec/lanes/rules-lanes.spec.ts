/** Tasks that run after others, in a run that Kafka carries: once, with the ends of one process, after any end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { RunEvent, RunSummary } from 'millrace';
import { createRun, kafkaCarrier, startWorker, type SpreadOptions } from 'millrace/lanes';
import { describeWithBroker } from '../kafka/with-broker.js';
import { RULE_FILES, RulesFlow } from './rules-flow.js';

const VICTIM = new URL('./worker-victim.js', import.meta.url).pathname;
const MODULE = new URL('./rules-flow.js', import.meta.url).pathname;
const PARTITIONS = 2;

function endsOf({ outcome, tasks }: RunSummary): unknown {
  const ends = Object.entries(tasks).map(([name, { status, reason, in: received, out, skipped, deadLettered }]) => [
    name,
    { status, reason, received, out, skipped, deadLettered },
  ]);
  return { outcome, tasks: Object.fromEntries(ends) as unknown };
}

describeWithBroker('rules in a run with a kafkaCarrier', (broker) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-rules-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const placeFor = async (name: string): Promise<string> => {
    await mkdir(join(folder, name));
    return join(folder, name);
  };
  const rowsOf = async (place: string, file: string): Promise<string[]> =>
    (await readFile(join(place, `${file}.csv`), 'utf8')).trim().split('\n').sort();
  const carrier = () => kafkaCarrier({ cluster: broker().cluster, partitions: PARTITIONS });

  it('are met as in one process, by the results of earlier phases', async () => {
    const [here, there] = [await placeFor('here'), await placeFor('there')];
    const one = await RulesFlow.run({ folder: here }).finished;
    const run = RulesFlow.run({ folder: there }, { carrier: carrier(), runId: 'rules' });
    const events: RunEvent[] = [];
    run.events$.subscribe((event) => events.push(event));
    const many = await run.finished;
    expect(endsOf(many)).toEqual(endsOf(one));
    for (const file of RULE_FILES) expect([file, await rowsOf(there, file)]).toEqual([file, await rowsOf(here, file)]);
    expect(await rowsOf(there, 'cleaned')).toContain('completed,completed,completed,skipped');
    const skipped = events.flatMap((event) => (event.type === 'task-skipped' ? [event.task] : []));
    expect(skipped.sort()).toEqual(['Alert', 'Alerted']);
    const orderOf = (task: string): number =>
      events.findIndex((event) => event.type === 'task-started' && event.task === task);
    expect(orderOf('Publish')).toBeGreaterThan(
      events.findIndex((event) => event.type === 'task-ended' && event.task === 'Loaded'),
    );
  }, 120_000);

  it('are met by a failure, in the process that started the run, and again at the end of the next one', async () => {
    const place = await placeFor('failed');
    const start = (failAt: number) =>
      RulesFlow.run({ folder: place, failAt }, { carrier: carrier(), runId: `failed-${failAt}` });
    for (let incarnation = 0; incarnation < 2; incarnation++) {
      const failed = (await start(30).finished.catch((error: unknown) => error)) as { summary: RunSummary };
      expect(failed.summary).toMatchObject({
        outcome: 'failed',
        tasks: {
          Guard: { status: 'failed' },
          Publish: { status: 'skipped', reason: "'Publish' runs when 'Load' has completed, which has failed" },
          Again: { status: 'skipped' },
          Alert: { status: 'completed', in: 1, out: 1 },
          'Clean up': { status: 'completed', in: 1 },
        },
      });
      expect(await rowsOf(place, 'alerted')).toContainEqual(expect.stringMatching(/^failed,.*bad 30$/));
      expect(await rowsOf(place, 'cleaned')).toContain('failed,skipped,skipped,completed');
      await Promise.all(['alerted', 'cleaned'].map((file) => rm(join(place, `${file}.csv`))));
    }
  }, 120_000);

  it('are met by a failure of a task with a rule, with the ends of the phase before', async () => {
    const place = await placeFor('later');
    const run = RulesFlow.run({ folder: place, failsLater: true }, { carrier: carrier(), runId: 'later' });
    const failed = (await run.finished.catch((error: unknown) => error)) as { summary: RunSummary };
    expect(failed.summary).toMatchObject({
      outcome: 'failed',
      tasks: {
        Loaded: { status: 'completed' },
        Publish: { status: 'failed' },
        Alert: { status: 'completed', in: 1, out: 1 },
      },
    });
    expect(await rowsOf(place, 'alerted')).toContain('completed,');
  }, 120_000);

  it('are met by a cancel and by a drain, last', async () => {
    for (const how of ['cancel', 'drain'] as const) {
      const place = await placeFor(how);
      const run = RulesFlow.run({ folder: place, isEndless: true }, { carrier: carrier(), runId: how });
      run.events$.subscribe((event) => {
        if (event.type === 'task-started' && event.task === 'Load') run[how]();
      });
      const { outcome, tasks } = await run.finished;
      expect(outcome).toBe(how === 'cancel' ? 'cancelled' : 'drained');
      expect(tasks['Clean up']).toMatchObject({ status: 'completed', in: 1 });
      expect(tasks['Alert']).toMatchObject({ status: 'skipped' });
      expect(await rowsOf(place, 'cleaned')).toContain(`${outcome},skipped,skipped,skipped`);
    }
  }, 120_000);

  it('are met once when the workers that wait for them are killed', async () => {
    const place = await placeFor('killed');
    const config = { folder: place };
    const runId = 'killed';
    const options: SpreadOptions = {
      ...{ workflow: RulesFlow.prepare(config), cluster: broker().cluster, runId, partitions: PARTITIONS },
    };
    await createRun(options);
    // Each worker dies when it has one of these lanes. Their records are held, so it cannot be done before.
    const stages = ['Publish', 'Clean up'];
    for (const stage of stages) await writeFile(join(place, stage), '');
    for (const stage of stages) {
      const args = [VICTIM, broker().address, runId, MODULE, 'RulesFlow', JSON.stringify(config), String(PARTITIONS)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let told = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        told += text;
        if (told.includes(`started ${stage} `)) child.kill('SIGKILL');
      });
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      await rm(join(place, stage));
    }
    const { outcome } = await startWorker({ ...options, workflow: RulesFlow.prepare(config) }).finished;
    expect(outcome).toBe('completed');
    for (const file of ['loaded', 'copied', 'cleaned']) {
      expect([file, await rowsOf(place, file)]).toEqual([file, await rowsOf(join(folder, 'here'), file)]);
    }
    expect(await rowsOf(place, 'published')).toHaveLength(2);
  }, 120_000);
});
