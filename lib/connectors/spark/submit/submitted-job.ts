/**
 * A job of `spark-submit` and its folder, by which a later process finds the job.
 *
 * Guarantees: only this user can read the folder and its files. A job that runs, or that has ended well, is found by
 * its folder. `stop` resolves when the job has ended.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { eventLogSettings } from './event-log.js';
import { propertiesText } from './properties-file.js';
import { GRACE_S, SUPERVISOR } from './supervisor.js';

/** The command of a job, and its surroundings. */
export interface JobOrder {
  readonly command: string;
  /** The arguments after the options that this package adds. */
  readonly args: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the job continues when this process dies. */
  readonly survivesCrash: boolean;
}

/** `lost`: the job is gone without an exit code, because it was killed or the machine was restarted. */
export type JobState = 'none' | 'running' | 'lost' | { readonly exitCode: number };

export class SubmittedJob {
  readonly folder: string;
  private child: ChildProcess | undefined;
  private startError: Error | undefined;

  constructor(folder: string) {
    this.folder = resolve(folder);
  }

  /** The file or folder that the job may fill with rows. */
  get resultsPath(): string {
    return join(this.folder, 'results');
  }

  get eventsPath(): string {
    return join(this.folder, 'events');
  }

  async state(): Promise<JobState> {
    const ended = await this.exitCode();
    if (ended !== undefined) return { exitCode: ended };
    if (this.startError !== undefined) throw this.startError;
    if (this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null) return 'running';
    const pid = await this.pid();
    if (pid === undefined) return this.child === undefined ? 'none' : 'lost';
    if (await this.isAlive(pid)) return 'running';
    // The job may have ended between the two checks.
    const late = await this.exitCode();
    return late === undefined ? 'lost' : { exitCode: late };
  }

  /** Begins the job. The folder is emptied before. */
  async submit({ command, args, settings, environment, survivesCrash }: JobOrder): Promise<void> {
    const { folder, eventsPath, resultsPath } = this;
    await rm(folder, { recursive: true, force: true });
    await mkdir(eventsPath, { recursive: true, mode: 0o700 });
    const properties = join(folder, 'spark.conf');
    await writeFile(properties, propertiesText({ ...settings, ...eventLogSettings(eventsPath) }), { mode: 0o600 });
    const own = ['--properties-file', properties, '--load-spark-defaults'];
    const child = spawn('sh', ['-c', SUPERVISOR, folder, command, ...own, ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', survivesCrash ? 'ignore' : 'pipe'],
      env: { ...process.env, ...environment, MILLRACE_RESULTS: resultsPath, LEASH: survivesCrash ? '' : '3' },
    });
    child.on('error', (error) => (this.startError = error));
    const leash = child.stdio[3] as Writable | null | undefined;
    leash?.on('error', () => undefined);
    child.on('exit', () => leash?.destroy());
    this.child = child;
  }

  /** Asks the job to end, and kills it after ten seconds. Calls `wait` between two checks. */
  async stop(wait: () => Promise<unknown>): Promise<void> {
    const pid = this.child?.pid ?? (await this.pid());
    if (pid === undefined || (await this.state()) !== 'running') return;
    const latest = Date.now() + GRACE_S * 1000;
    signalGroup(pid, 'SIGTERM');
    while ((await this.state()) === 'running') {
      if (Date.now() > latest) signalGroup(pid, 'SIGKILL');
      await wait();
    }
  }

  /** The lines of the log with the reason why the job has failed. */
  async reason(): Promise<string> {
    const log = await readFile(join(this.folder, 'stderr.log'), 'utf8').catch(() => '');
    const lines = log.split('\n').filter((line) => line.trim() !== '' && !LOG_LINE.test(line));
    const first = lines.findIndex((line) => FAILURE.test(line));
    return (first < 0 ? lines.slice(-3) : lines.slice(first, first + 3)).join(' ').slice(0, 1000);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async exitCode(): Promise<number | undefined> {
    const path = join(this.folder, 'exit');
    return existsSync(path) ? Number.parseInt(await readFile(path, 'utf8'), 10) : undefined;
  }

  private async pid(): Promise<number | undefined> {
    const text = await readFile(join(this.folder, 'pid'), 'utf8').catch(() => '');
    return text === '' ? undefined : Number.parseInt(text, 10);
  }

  /** Whether the process belongs to this job: the system may give its number to another process later. */
  private async isAlive(pid: number): Promise<boolean> {
    try {
      const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)]);
      return stdout.includes(this.folder);
    } catch {
      return false;
    }
  }
}

/** Such as `26/11/27 23:50:00 INFO SparkContext: …`. */
const LOG_LINE = /^\d\d(?:\d\d)?[/-]\d\d[/-]\d\d[ T][\d:,.Z]+ (?:INFO|WARN|DEBUG)|^(?:\t|\s+at )|^WARNING: /;
const FAILURE = /exception|error|not found|failed/i;

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}
