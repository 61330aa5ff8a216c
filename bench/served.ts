/** A server (`millrace serve`) as a process, with a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredRun } from '#lib/server/runs/stored-run.js';
import { queuedRun } from '#lib/server/runs/queued-run.js';
import { sqliteStore } from '#lib/server/store/sqlite-store.js';
import { CLI } from './command-line.js';

const HOUR = 3_600_000;
/** The clock of /proc/pid/stat, in ticks per second. */
const TICKS = 100;

export class BenchServer {
  /** The folder of the server, with `.millrace`. */
  readonly folder: string;
  private readonly process: ChildProcess;
  readonly url: string;
  readonly token: string;

  private constructor(folder: string, server: ChildProcess, url: string) {
    this.folder = folder;
    this.process = server;
    this.url = url;
    this.token = readFileSync(join(folder, '.millrace', 'server', 'token'), 'utf8').trim();
  }

  /** Starts a server with so many ended runs in its store, and a workflow with so many schedules. */
  static async start({
    runs = 0,
    schedules = 0,
    code = '',
  }: {
    readonly runs?: number;
    readonly schedules?: number;
    /** The file of more workflows. */
    readonly code?: string;
  }): Promise<BenchServer> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
    const home = join(folder, '.millrace', 'server');
    mkdirSync(home, { recursive: true });
    mkdirSync(join(folder, 'workflows'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'workflows', 'flow.js'), flowWith(schedules));
    if (code !== '') writeFileSync(join(folder, 'workflows', 'more.js'), code);
    await fill(join(home, 'state.db'), runs);
    const server = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--keep', 'forever'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const address = await new Promise<string>((resolve, reject) => {
      createInterface(server.stdout).once('line', resolve);
      server.once('exit', () => {
        reject(new Error('The server has ended'));
      });
    });
    const served = new BenchServer(folder, server, new URL(address).origin);
    while (!(await served.get('/workflows')).includes('"Flow"')) await sleep(100);
    return served;
  }

  /** The text of an answer of the API. */
  async get(path: string): Promise<string> {
    const response = await fetch(`${this.url}/api/v1${path}`, { headers: { authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.text();
  }

  /** Starts a run of a workflow; returns its id when it is in this state. */
  async run(workflow: string, wanted: 'running' | 'completed'): Promise<string> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    const path = `${this.url}/api/v1/workflows/${workflow}/runs`;
    const response = await fetch(path, { method: 'POST', headers, body: '{}' });
    const { id } = (await response.json()) as { readonly id: string };
    for (;;) {
      const { state } = JSON.parse(await this.get(`/runs/${id}`)) as { readonly state: string };
      if (state === wanted) return id;
      if (!['queued', 'starting', 'running'].includes(state)) throw new Error(`A run of ${workflow} is ${state}`);
      await sleep(100);
    }
  }

  /** Ends a run that is at work. */
  async cancel(id: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    await fetch(`${this.url}/api/v1/runs/${id}/stop`, { method: 'POST', headers, body: '{"how":"cancel"}' });
    while (!(await this.get(`/runs/${id}`)).includes('"cancelled"')) await sleep(100);
  }

  /** The share of one core that the server uses in this time. Needs Linux. */
  async shareOfCore(forMs: number): Promise<number> {
    const before = this.cpuSeconds();
    await sleep(forMs);
    return (this.cpuSeconds() - before) / (forMs / 1000);
  }

  /** The bytes of memory of the server. Needs Linux. */
  memory(): number {
    const [, kilobytes = 'NaN'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(this.procOf('status'), 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }

  async stop(): Promise<void> {
    const over = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill();
    await over;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private cpuSeconds(): number {
    const stat = readFileSync(this.procOf('stat'), 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  private procOf(name: string): string {
    return `/proc/${String(this.process.pid)}/${name}`;
  }
}

/** A workflow whose schedules have no tick during a measurement. */
function flowWith(schedules: number): string {
  const rules = Object.fromEntries(
    Array.from({ length: schedules }, (_, n) => [
      `at-${n}`,
      { cron: `${n % 60} ${n % 24} 1 1 *`, zone: 'Europe/Berlin' },
    ]),
  );
  return `
import { defineWorkflow, sourceTask, syncTask } from '${import.meta.resolve('#lib/index.js')}';
export const Flow = defineWorkflow({ name: 'Flow', schedules: ${JSON.stringify(rules)},
  build: (flow) => flow.task('One', sourceTask([1])).task('Two', ['One'], syncTask((n) => n)) });
`;
}

/** Adds ended runs of twenty workflows, in one transaction. */
async function fill(path: string, count: number): Promise<void> {
  const store = sqliteStore(path);
  const now = Date.now();
  const runs = Array.from({ length: count }, (_, n): StoredRun => {
    const at = now - (count - n) * 1000 - 24 * HOUR;
    const state = n % 50 === 0 ? 'failed' : 'completed';
    const facts = { id: `r${String(n).padStart(8, '0')}`, state, startedAt: at, endedAt: at + 900 } as const;
    return queuedRun(`Flow${n % 20}`, at, { ...facts, settings: { text: 'x'.repeat(300) }, settled: n });
  });
  const backfill = { id: 'f', schedule: 'Flow/a', workflow: 'Flow', from: 0, to: now, count, askedBy: '', at: now };
  if (count > 0) await store.addBackfill({ ...backfill, requestKey: null }, runs);
  await store.close();
}
