/**
 * The incarnations of a run: one file per process that works, or has worked, on it.
 *
 * Guarantees: each file is created exclusively and never removed, so two incarnations never share a number; when two
 * processes take over a run at the same time, one of them is refused. A run is not taken over while its last incarnation
 * is alive. An incarnation whose process died without recording its end is over.
 */
import { open, readFile, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../model/errors.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';

/** One process's turn at a run. */
export interface Incarnation extends ProcessIdentity {
  /** Counted from 1. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Milliseconds since 1970. Unset while the incarnation is working, and after its process died. */
  readonly endedAt?: number;
}

/** Begins the next incarnation. Throws MILLRACE_LOCKED while the last one is alive. */
export async function beginIncarnation(folder: string, runId: string): Promise<Incarnation> {
  const last = await lastIncarnation(folder);
  if (last !== undefined && (await isAlive(last))) throw locked(runId, last);
  const incarnation: Incarnation = { number: (last?.number ?? 0) + 1, ...(await thisProcess()), startedAt: Date.now() };
  try {
    const file = await open(incarnationPath(folder, incarnation.number), 'wx');
    await file.writeFile(JSON.stringify(incarnation));
    await file.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw locked(runId, await lastIncarnation(folder));
    throw error;
  }
  return incarnation;
}

/** Records in the file of the incarnation that it has ended. */
export async function endIncarnation(folder: string, incarnation: Incarnation): Promise<void> {
  await writeFile(incarnationPath(folder, incarnation.number), JSON.stringify({ ...incarnation, endedAt: Date.now() }));
}

/** The last incarnation of the run in this folder; undefined before the first. */
export async function lastIncarnation(folder: string): Promise<Incarnation | undefined> {
  const numbers = (await readdir(folder)).flatMap(
    (name) => /^incarnation-(\d+)\.json$/.exec(name)?.slice(1).map(Number) ?? [],
  );
  if (numbers.length === 0) return undefined;
  const number = Math.max(...numbers);
  const text = await readFile(incarnationPath(folder, number), 'utf8');
  try {
    return JSON.parse(text) as Incarnation;
  } catch {
    // The process died before it had written its identity.
    return { number, pid: 0, host: hostname(), processStart: null, startedAt: 0, endedAt: 0 };
  }
}

/** Whether the incarnation is working on the run. One on another machine counts as alive until it records its end. */
export async function isAlive(incarnation: Incarnation): Promise<boolean> {
  return incarnation.endedAt === undefined && (await isRunning(incarnation)) !== false;
}

/** The file that exists once the incarnation with this number has begun. */
export function incarnationPath(folder: string, number: number): string {
  return join(folder, `incarnation-${number}.json`);
}

function locked(runId: string, incarnation: Incarnation | undefined): MillraceError {
  const who = incarnation === undefined ? 'another process' : `process ${incarnation.pid} on ${incarnation.host}`;
  return new MillraceError(
    'MILLRACE_LOCKED',
    `Run ${runId} is being worked on by ${who}. Wait for it to end, or stop it`,
  );
}
