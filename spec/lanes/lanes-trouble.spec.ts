/** What `run --kafka`, `worker` and `lag` print when workers end, wait or cannot reach brokers, and topics are gone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { describeWithBroker } from '../kafka/with-broker.js';

const root = new URL('../../../', import.meta.url).pathname;
const FLOW = new URL('./held-flow.js', import.meta.url).pathname;

interface Started {
  readonly pid: number;
  /** Standard error so far. */
  readonly errors: () => string;
  readonly code: Promise<number | null>;
}

describeWithBroker('trouble in a spread run', (broker) => {
  let place: string;
  let folder: string;
  beforeAll(async () => {
    await mkdir(join(root, 'build'), { recursive: true });
    place = await mkdtemp(join(root, 'build', 'lanes-trouble-'));
    await mkdir(join(place, 'node_modules'));
    await symlink(root, join(place, 'node_modules', 'millrace'));
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(place, 'held-'));
  });
  afterAll(async () => {
    await rm(place, { recursive: true, force: true });
  });

  const millrace = (...words: string[]): Started => {
    const child = spawn(process.execPath, [join(root, 'dist', 'cli.js'), ...words], {
      ...{ cwd: place, stdio: ['ignore', 'ignore', 'pipe'] as const },
    });
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    const code = once(child, 'close').then(([ended]) => ended as number | null);
    return { pid: child.pid as number, errors: () => errors, code };
  };
  const spread = (runId: string, address = broker().address): string[] => [
    ...[FLOW, '--kafka', address, '--run-id', runId, '--partitions', '4', '--set', `folder=${folder}`],
  ];
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await sleep(20);
    }
  };
  const firstAtWork = (): Promise<number> =>
    until(() => {
      const [file] = readdirSync(folder).filter((name) => name.startsWith('pid-'));
      return file === undefined ? undefined : Number(file.slice('pid-'.length));
    });
  const prints = (started: Started, pattern: RegExp): Promise<true> =>
    until(() => (pattern.test(started.errors()) ? true : undefined));
  const go = (): Promise<void> => writeFile(join(folder, 'go'), '');

  it('reports a worker that was killed and who continues its lanes, and refuses the run once its topics are gone', async () => {
    const run = millrace('run', ...spread('killed'), '--workers', '2');
    const pid = await firstAtWork();
    process.kill(pid, 'SIGKILL');
    await prints(run, new RegExp(`Worker \\S+-${pid} was ended by SIGKILL`));
    await prints(run, new RegExp(`Worker \\S+-${pid} has left the run. Its lanes continue: .* on worker`));
    await go();
    expect(await run.code).toBe(3);

    const letters = join(place, '.millrace', 'runs', 'killed', 'dead-letters.ndjson');
    const before = await readFile(letters, 'utf8');
    expect(before).toContain('no good');
    const admin = await broker().asAdmin();
    const topic = 'millrace.HeldFlow.killed.Spread';
    await admin.deleteTopics({ topics: [topic] });
    while ((await admin.listTopics()).includes(topic)) await sleep(20);
    const again = millrace('run', ...spread('killed'), '--workers', '2');
    // A machine that has not seen the run learns from the brokers that it has begun.
    const elsewhere = millrace('run', ...spread('killed'), '--runs', 'elsewhere');
    expect(await again.code).toBe(2);
    expect(again.errors()).toContain(
      "MILLRACE_RESUME: Run 'killed' of 'HeldFlow' has lost its progress: topic 'millrace.HeldFlow.killed.Spread' is missing",
    );
    expect(await elsewhere.code).toBe(1);
    expect(elsewhere.errors()).toContain(`has lost its progress: topic '${topic}' is missing`);
    expect(elsewhere.errors()).not.toContain('To continue it');
    // The folder has the last copy of them.
    expect(await readFile(letters, 'utf8')).toBe(before);
    expect(existsSync(join(place, '.millrace', 'runs', 'killed', 'events.ndjson'))).toBe(true);
  }, 120_000);

  it('reports a worker that waits for the lanes of another one', async () => {
    const created = millrace('topics', 'create', ...spread('waiting'));
    expect(await created.code).toBe(0);
    const first = millrace('worker', ...spread('waiting'));
    expect(await firstAtWork()).toBe(first.pid);
    const second = millrace('worker', ...spread('waiting'));
    // The first one keeps its lanes while it drains.
    await prints(second, new RegExp(`Worker \\S+-${second.pid} waits for \\d lanes? of worker \\S+-${first.pid}`));
    await go();
    expect([await first.code, await second.code]).toEqual([3, 3]);
  }, 120_000);

  it('reports brokers that cannot be reached, and lag gives up after a few seconds', async () => {
    const lag = millrace('lag', ...spread('nowhere', '127.0.0.1:9'));
    const run = millrace('run', ...spread('nowhere', '127.0.0.1:9'), '--ephemeral');
    const told = /^Cannot reach broker 127\.0\.0\.1:9: ECONNREFUSED; trying again until \d\d:\d\d:\d\d$/m;
    await Promise.all([lag, run].map((started) => prints(started, told)));
    process.kill(run.pid, 'SIGKILL');
    await run.code;
    expect(await lag.code).toBe(2);
    expect(lag.errors()).toContain('MILLRACE_NETWORK');
  }, 60_000);
});
