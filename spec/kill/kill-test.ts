/**
 * Kills the real command line with SIGKILL at random moments, resumes it until it is done, and compares every file with
 * that of an undisturbed run: bytes where they are plain, text where they are packed, and the dead letters but for
 * when. Where dead letters can be healed, they are replayed after that, and the replay is killed too.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { seededRandom } from 'millrace';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
/** A process that does not end by itself in this time hangs. */
const HANGS_AFTER_MS = 120_000;

/** A run to be killed: the arguments after `run`, and the files it makes, in the folder it runs in. */
export interface Victim {
  readonly name: string;
  readonly args: readonly string[];
  readonly outputs: readonly string[];
  readonly letters: string;
  /** Whether rows may come in any order, because time decides what meets first. */
  readonly isUnordered?: boolean;
  /** The file that makes the dead letters of a finished run succeed when they are replayed. */
  readonly heals?: string;
}

export interface KillFigures {
  readonly kills: number;
  /** Runs that got to their end and were compared. */
  readonly runs: number;
  /** Processes that ended before their kill came. */
  readonly missed: number;
}

/** Kills runs of the victim until there were `kills` kills. Throws at the first difference. */
export async function killTest(victim: Victim, kills: number, seed: number): Promise<KillFigures> {
  const random = seededRandom(seed);
  const { results: expected, tookMs } = await undisturbed(victim);
  const figures = { kills: 0, runs: 0, missed: 0 };
  while (figures.kills < kills) {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
    try {
      const killing = { random, withinMs: tookMs, figures, most: kills };
      await killUntilDone(victim, folder, killing);
      if (victim.heals !== undefined) await replayUntilDone(victim, folder, killing);
      figures.runs++;
      const got = resultsIn(victim, folder);
      for (const [file, content] of Object.entries(expected)) {
        if (got[file] !== content) {
          throw new Error(
            `${victim.name}, seed ${seed}, after ${figures.kills} kills: ${difference(file, content, got[file])}`,
          );
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return figures;
}

/** The kills of one test. */
interface Killing {
  readonly random: () => number;
  /** A process is killed at a random time within this one. */
  readonly withinMs: number;
  readonly figures: { kills: number; missed: number };
  /** The most kills. */
  readonly most: number;
}

/** Runs one command, which may be killed. */
async function runKilled(
  args: readonly string[],
  folder: string,
  { random, withinMs, figures, most }: Killing,
): Promise<Awaited<ReturnType<typeof ended>> & { readonly isKilled: boolean; readonly mayKill: boolean }> {
  const child = start(args, folder);
  const mayKill = figures.kills < most;
  const killer = mayKill ? killAfter(child, random() * withinMs) : undefined;
  const end = await ended(child);
  killer?.abort();
  const isKilled = end.signal === 'SIGKILL';
  if (isKilled) figures.kills++;
  return { ...end, isKilled, mayKill };
}

async function killUntilDone(victim: Victim, folder: string, killing: Killing): Promise<void> {
  let args: readonly string[] = ['run', ...victim.args];
  for (;;) {
    const { code, err, isKilled, mayKill } = await runKilled(args, folder, killing);
    if (!isKilled) {
      if (code !== 0 && code !== 3) throw new Error(`${victim.name} ended with code ${code ?? 'none'}: ${err}`);
      if (mayKill) killing.figures.missed++;
      return;
    }
    const [runId] = existsSync(join(folder, '.millrace/runs')) ? readdirSync(join(folder, '.millrace/runs')) : [];
    const run = join(folder, '.millrace/runs', runId ?? '');
    // Killed when all was done, but for the end of the process.
    const summary = join(run, 'summary.json');
    if (existsSync(summary) && readFileSync(summary, 'utf8').includes('"outcome": "completed"')) return;
    // Killed before it had made its folder, or before it had said in it what it is.
    const isKept = runId !== undefined && existsSync(join(run, 'manifest.json'));
    if (isKept) args = ['resume', runId];
    else rmSync(join(folder, '.millrace'), { recursive: true, force: true });
  }
}

/** Replays the dead letters of the finished run, and resumes the replay until it is done. */
async function replayUntilDone(victim: Victim, folder: string, killing: Killing): Promise<void> {
  writeFileSync(join(folder, victim.heals as string), '');
  const [runId = ''] = readdirSync(join(folder, '.millrace/runs'));
  let args: readonly string[] = ['dead-letters', 'replay', runId];
  for (;;) {
    const { code, err, isKilled, mayKill } = await runKilled(args, folder, killing);
    if (!isKilled) {
      if (err.includes('has not finished')) {
        args = ['resume', runId];
        continue;
      }
      if (code !== 0 && code !== 3) throw new Error(`The replay ended with code ${code ?? 'none'}: ${err}`);
      if (mayKill) killing.figures.missed++;
      // A replay that was killed before its first checkpoint has left the letters as they were.
      if (args[0] !== 'resume') return;
    }
    args = ['dead-letters', 'replay', runId];
  }
}

/** What a run makes that is not killed, and how long it takes: a kill at a time within that hits, on any machine. */
async function undisturbed(victim: Victim): Promise<{ results: Record<string, string>; tookMs: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  try {
    const startedAt = performance.now();
    const { code, err } = await ended(start(['run', ...victim.args], folder));
    const tookMs = performance.now() - startedAt;
    if (code !== 0 && code !== 3) throw new Error(`${victim.name} ended with code ${code ?? 'none'}: ${err}`);
    const never = { random: () => 1, withinMs: tookMs, figures: { kills: 0, missed: 0 }, most: 0 };
    if (victim.heals !== undefined) await replayUntilDone(victim, folder, never);
    return { results: resultsIn(victim, folder), tookMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function start(args: readonly string[], cwd: string): ChildProcess {
  return spawn(process.execPath, [CLI, ...args, '--quiet'], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}

function killAfter(child: ChildProcess, ms: number): AbortController {
  const controller = new AbortController();
  sleep(ms, undefined, { signal: controller.signal }).then(
    () => child.kill('SIGKILL'),
    () => undefined,
  );
  return controller;
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null; err: string }> {
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const hang = setTimeout(() => {
    err += ` It hung for ${HANGS_AFTER_MS} ms.`;
    child.kill('SIGTERM');
  }, HANGS_AFTER_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(hang);
      resolve({ code, signal, err });
    });
  });
}

/** Every file of a finished run as text that does not depend on when it was made. */
function resultsIn({ outputs, letters, isUnordered }: Victim, folder: string): Record<string, string> {
  const results: Record<string, string> = {};
  for (const name of outputs) {
    const bytes = readFileSync(join(folder, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
    results[name] = isUnordered === true ? text.split('\n').sort().join('\n') : text;
  }
  const path = existsSync(join(folder, letters)) ? join(folder, letters) : lettersOfRun(folder);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  results[letters] = lines
    .map((line) => {
      const { runId: _id, crc: _crc, firstAt, lastAt, ...letter } = JSON.parse(line) as Record<string, unknown>;
      return JSON.stringify({ ...letter, isTimed: typeof firstAt === 'number' && typeof lastAt === 'number' });
    })
    .sort()
    .join('\n');
  return results;
}

function lettersOfRun(folder: string): string {
  const runs = join(folder, '.millrace/runs');
  return join(runs, readdirSync(runs)[0] ?? '', 'dead-letters.ndjson');
}

function difference(file: string, expected: string, got = ''): string {
  const [a, b] = [expected.split('\n'), got.split('\n')];
  const line = a.findIndex((text, index) => text !== b[index]);
  return `${file} differs: ${a.length} lines expected, ${b.length} got; line ${line + 1} is ${b[line] ?? 'missing'} and should be ${a[line] ?? 'missing'}`;
}
