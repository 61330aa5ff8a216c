/**
 * Who works on a run: one file for each of its lives, made exclusively, never removed.
 *
 * Promises: no two lives have one number, so of two processes that take over a run at once one is refused; a run whose
 * last life still lives is not taken over; a life whose process died without a word is over.
 */
import { open, readFile, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../model/errors.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';

export interface Life extends ProcessIdentity {
  /** From 1. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Unset while it goes on, and where it ended without a word. */
  readonly endedAt?: number;
}

/** Begins the next life. Throws MILLRACE_LOCKED where the last one goes on. */
export async function beginLife(folder: string, runId: string): Promise<Life> {
  const last = await lastLife(folder);
  if (last !== undefined && (await isAlive(last))) throw locked(runId, last);
  const life: Life = { number: (last?.number ?? 0) + 1, ...(await thisProcess()), startedAt: Date.now() };
  try {
    const file = await open(lifePath(folder, life.number), 'wx');
    await file.writeFile(JSON.stringify(life));
    await file.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw locked(runId, await lastLife(folder));
    throw error;
  }
  return life;
}

export async function endLife(folder: string, life: Life): Promise<void> {
  await writeFile(lifePath(folder, life.number), JSON.stringify({ ...life, endedAt: Date.now() }));
}

/** The last life of the run in this folder, if it had one. */
export async function lastLife(folder: string): Promise<Life | undefined> {
  const numbers = (await readdir(folder)).flatMap(
    (name) => /^life-(\d+)\.json$/.exec(name)?.slice(1).map(Number) ?? [],
  );
  if (numbers.length === 0) return undefined;
  const number = Math.max(...numbers);
  const text = await readFile(lifePath(folder, number), 'utf8');
  try {
    return JSON.parse(text) as Life;
  } catch {
    // Its process died before it had written who it is.
    return { number, pid: 0, host: hostname(), processStart: null, startedAt: 0, endedAt: 0 };
  }
}

/** Whether the life goes on. One on another machine is taken to go on until it says that it has ended. */
export async function isAlive(life: Life): Promise<boolean> {
  return life.endedAt === undefined && (await isRunning(life)) !== false;
}

/** The file that exists once a life with this number has begun. */
export function lifePath(folder: string, number: number): string {
  return join(folder, `life-${number}.json`);
}

function locked(runId: string, life: Life | undefined): MillraceError {
  const who = life === undefined ? 'another process' : `process ${life.pid} on ${life.host}`;
  return new MillraceError(
    'MILLRACE_LOCKED',
    `Run ${runId} is being worked on by ${who}. Wait for it to end, or stop it`,
  );
}
