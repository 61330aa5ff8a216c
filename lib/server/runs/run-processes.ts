/**
 * Runs as processes of their own: each is `millrace run` or `millrace resume`, and independent of the server.
 *
 * Guarantees: a process outlives the server, because it has a session of its own and prints into a file, never into a
 * pipe; a signal goes only to the process that works on the run, not to another process that has received its id;
 * values of users reach the configuration unchanged.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync, fstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { keyWithName } from '../../jobs/config/setting-key.js';
import { describeThrown } from '../../model/errors.js';
import type { Json } from '../../model/json.js';
import type { RunSummary } from '../../model/run-summary.js';
import { isAlive, lastIncarnation } from '../../storage/incarnations.js';
import { isRunning } from '../../storage/process-identity.js';
import { RunFolder } from '../../storage/run-folder.js';
import { oneLine } from '../../text/printable.js';
import type { ProcessExit, Sight } from './follow.js';
import type { StopWish, StoredRun } from './stored-run.js';
import { makeFolder } from '../../storage/make-folder.js';

/** The processes of runs, as the supervisor needs them. */
export interface RunProcesses {
  /** The observed facts about a run. */
  look(runId: string): Promise<Sight>;
  /** Starts the process that begins this incarnation. Resolves once its start was requested. */
  start(run: StoredRun, incarnation: number): Promise<void>;
  /** Signals the process that works on the run. Returns false if there is none that can be reached. */
  stop(runId: string, wish: StopWish | 'kill'): Promise<boolean>;
  /** Forgets the processes of a run that is over. */
  forget(runId: string): void;
}

export interface RunProcessOptions {
  /** The folder of runs, absolute. */
  readonly runs: string;
  /** The folder for the output of the processes, absolute. */
  readonly output: string;
  /** The current folder of the processes. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The script of the command line. */
  readonly script: string;
  /** The most memory of a run of a workflow, in bytes; undefined for no limit. */
  readonly memoryOf: (workflow: string) => number | undefined;
  /** Called when a process has ended. */
  readonly onExit: (runId: string) => void;
}

/**
 * Aborts a run at once. Two signals that drain would not: the run may have drained before the second. Windows has no
 * SIGQUIT, and ends the process at any signal.
 */
const ABORT = process.platform === 'win32' ? 'SIGTERM' : 'SIGQUIT';
const WORDS_BYTES = 4096;
const MOST_WORDS = 600;

interface Child {
  exit?: ProcessExit;
}

export function runProcesses(options: RunProcessOptions): RunProcesses {
  const { runs, output, folder, environment, script, memoryOf, onExit } = options;
  const children = new Map<string, Child>();
  makeFolder(output, 0o700);

  const start = async (run: StoredRun, incarnation: number): Promise<void> => {
    const words = await wordsFor(run, runs);
    const path = outputFileOf(output, run.id, incarnation);
    const child: Child = {};
    children.set(run.id, child);
    const end = (code: number | null, signal: string | null, failure = ''): void => {
      if (child.exit !== undefined) return;
      child.exit = { code, signal, words: failure === '' ? lastWordsOf(path) : failure };
      onExit(run.id);
    };
    let file: number | undefined;
    try {
      file = openSync(path, 'a', 0o600);
      const bytes = memoryOf(run.workflow);
      const heap = bytes === undefined ? [] : [`--max-old-space-size=${Math.floor(bytes / 2 ** 20)}`];
      const started = spawn(process.execPath, [...heap, script, ...words, '--runs', runs, '--quiet', '--no-color'], {
        cwd: folder,
        detached: true,
        env: { ...environment, ...timesOf(run), ...subjectOf(run) },
        stdio: ['ignore', file, file],
      });
      started.unref();
      started.on('error', (error) => {
        end(null, null, describeThrown(error));
      });
      started.on('exit', (code, signal) => {
        end(code, signal);
      });
    } catch (error) {
      end(null, null, describeThrown(error));
    } finally {
      if (file !== undefined) closeSync(file);
    }
  };

  const look = async (runId: string): Promise<Sight> => {
    const child = children.get(runId);
    const own = { hasChild: child !== undefined && child.exit === undefined, exit: child?.exit };
    const nothing: Sight = { state: 'none', incarnation: 0, settled: 0, deadLetters: 0, ...own };
    if (!existsSync(join(runs, runId, 'manifest.json'))) return nothing;
    const run = await RunFolder.open(runs, runId);
    const last = await lastIncarnation(run.path);
    if (last === undefined) return { ...nothing, state: 'dead' };
    const facts = { incarnation: last.number, startedAt: run.manifest.createdAt, settled: 0, deadLetters: 0, ...own };
    // A blocked or paused process does not renew its lease, but still exists: no other process may run beside it.
    const isKnown = last.isDamaged === true ? undefined : await isRunning(last);
    const isThere = last.endedAt === undefined && isKnown === true;
    if (isThere || (await isAlive(run.path, last))) {
      const elsewhere = isKnown === undefined ? last.host : undefined;
      const printed = statSync(outputFileOf(output, runId, last.number), { throwIfNoEntry: false })?.size;
      return {
        ...facts,
        state: 'working',
        elsewhere,
        printed,
        memory: isThere ? memoryOfProcess(last.pid) : undefined,
      };
    }
    // The run may have ended, or been resumed, between the reading of its record and the check of its process.
    if (last.endedAt === undefined) {
      const latest = await lastIncarnation(run.path);
      if (latest?.number !== last.number || latest.endedAt !== undefined) return look(runId);
    }
    const progress = await run.progress().catch(() => undefined);
    const roots = Object.values(progress?.checkpoint?.roots ?? {});
    const settled = roots.reduce((sum, { watermark }) => sum + watermark, 0);
    // A process may die between its summary and the record of its end: then there is nothing to resume.
    const isDone = last.endedAt === undefined && (await run.state().catch(() => 'unfinished')) === 'finished';
    if (last.endedAt === undefined && !isDone) return { ...facts, state: 'dead', settled };
    const summary = (await run.summary().catch(() => undefined)) as (RunSummary & { incarnation?: number }) | undefined;
    const kept = summary?.incarnation === last.number ? summary : undefined;
    return {
      ...facts,
      state: 'ended',
      outcome: isDone ? 'completed' : (last.outcome ?? undefined),
      endedAt: last.endedAt,
      failure: kept?.error === undefined ? undefined : `${kept.error.code}: ${kept.error.message}`,
      settled,
      deadLetters: (kept?.deadLettered ?? 0) + (kept?.lettersBefore ?? 0),
    };
  };

  const stop = async (runId: string, wish: StopWish | 'kill'): Promise<boolean> => {
    const path = join(runs, runId);
    const last = await lastIncarnation(path).catch(() => undefined);
    if (last === undefined || last.endedAt !== undefined || (await isRunning(last)) !== true) return false;
    if (wish === 'kill') {
      process.kill(last.pid, 'SIGKILL');
      return true;
    }
    process.kill(last.pid, wish === 'cancel' ? ABORT : 'SIGTERM');
    return true;
  };

  return {
    start,
    look,
    stop,
    forget: (runId) => {
      children.delete(runId);
    },
  };
}

/** The bytes of memory of a process; undefined if the system does not report them. */
function memoryOfProcess(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** The file into which an incarnation prints. */
export function outputFileOf(output: string, runId: string, incarnation: number): string {
  return join(output, `${runId}-${incarnation}.log`);
}

async function wordsFor(run: StoredRun, runs: string): Promise<readonly string[]> {
  if (!existsSync(join(runs, run.id, 'manifest.json'))) return runWords(run);
  // A replay whose process died is resumed, as any other work.
  const isReplay = run.isReplay && (await (await RunFolder.open(runs, run.id)).state()) === 'finished';
  return isReplay ? ['dead-letters', 'replay', run.id] : resumeWords(run);
}

function runWords(run: StoredRun): readonly string[] {
  return ['run', run.workflow, '--run-id', run.id, ...settingWords(run)];
}

function resumeWords({ id }: StoredRun): readonly string[] {
  return ['resume', id];
}

/** Each setting as one word, so that no value can be read as an option. */
function settingWords({ settings, isLiteral }: StoredRun): readonly string[] {
  return Object.entries(settings).map(
    ([key, value]) => `--set=${keyWithName(key)}=${JSON.stringify(isLiteral ? literal(value) : value)}`,
  );
}

/** The value with each `${` written so that a configuration reads it as itself. */
export function literal(value: Json): Json {
  if (typeof value === 'string') return value.replace(/\$\{/g, () => '$${');
  if (Array.isArray(value)) return value.map((item: Json) => literal(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, literal(inner)]));
}

/** The variables that the configuration of a scheduled run may use. */
function timesOf({ scheduledFor, coversFrom, coversTo }: StoredRun): Record<string, string> {
  const times = {
    MILLRACE_SCHEDULED_FOR: scheduledFor,
    MILLRACE_COVERS_FROM: coversFrom,
    MILLRACE_COVERS_TO: coversTo,
  };
  const known = Object.entries(times).filter((entry): entry is [string, number] => entry[1] !== null);
  return Object.fromEntries(known.map(([name, at]) => [name, new Date(at).toISOString()]));
}

/** The variable with the event of a trigger. */
function subjectOf({ origin, subject }: StoredRun): Record<string, string> {
  if (subject === null) return {};
  if (origin === 'file') return { MILLRACE_FILE: subject };
  return origin === 'workflow' ? { MILLRACE_AFTER_RUN: subject } : {};
}

/** The last part of the output of a process, as one line. */
function lastWordsOf(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size, WORDS_BYTES));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      return oneLine(stripVTControlCharacters(bytes.toString('utf8'))).slice(-MOST_WORDS);
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
