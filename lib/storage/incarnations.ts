/**
 * The incarnations of a run: one file per process that works, or has worked, on it. The file is the lease of the
 * process.
 *
 * Guarantees: each file is created exclusively and never removed, so two incarnations never share a number; when two
 * processes take over a run at the same time, one of them is refused. A run is not taken over while its last
 * incarnation is alive: while its process runs and renews its lease. An incarnation whose process died without
 * recording its end is over. If its process cannot be checked from here (on another host, in another container), it is
 * over after `LEASE_MS` without a renewal.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../model/errors.js';
import type { RunOutcome } from '../model/ports.js';
import { createWhole, isSilent, Lease, LEASE_MS, replaceWhole, untilSilent } from './lease.js';
import { isRunning, thisProcess, type ProcessIdentity } from './process-identity.js';
import { seal, unseal } from './sealed.js';

/** The format of the file of an incarnation. */
const FORMAT = 1;

/** The work of one process on a run. */
export interface Incarnation extends ProcessIdentity {
  /** Counted from 1. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Milliseconds since 1970. Unset while the incarnation is working, and after its process died. */
  readonly endedAt?: number;
  /** The outcome of the run in this incarnation; null if it ended before it did any work. Set with `endedAt`. */
  readonly outcome?: RunOutcome | null;
  /** True if its file is damaged: then only its number and the time of its last renewal are known. */
  readonly isDamaged?: boolean;
}

/** An incarnation of this process, with its lease. */
export interface OwnIncarnation {
  readonly incarnation: Incarnation;
  readonly lease: Lease;
}

/**
 * Begins the next incarnation. Throws MILLRACE_LOCKED while the last one is alive. If the process of the last one
 * cannot be checked from here, waits up to `LEASE_MS` for a renewal of its lease.
 */
export async function beginIncarnation(folder: string, runId: string): Promise<OwnIncarnation> {
  const last = await lastIncarnation(folder);
  if (last !== undefined && last.endedAt === undefined) {
    const isLiving = last.isDamaged === true ? undefined : await isRunning(last);
    const place = incarnationPath(folder, last.number);
    if (isLiving !== false && !(await untilSilent(place, isLiving === true))) throw locked(runId, last);
  }
  const number = (last?.number ?? 0) + 1;
  const incarnation: Incarnation = { number, ...(await thisProcess()), startedAt: Date.now() };
  const [place, text] = [incarnationPath(folder, number), seal({ format: FORMAT, ...incarnation })];
  if (!(await createWhole(place, text))) throw locked(runId, await lastIncarnation(folder));
  const successor = incarnationPath(folder, number + 1);
  const lost = `Another process has resumed run ${runId}, because this one was silent: this one stops, and writes nothing more`;
  return { incarnation, lease: Lease.hold({ place, text, successor, lost }) };
}

/**
 * Records in the file of the incarnation that it has ended. Returns false, and records nothing, if another incarnation
 * has begun meanwhile.
 */
export async function endIncarnation(
  folder: string,
  { incarnation, lease }: OwnIncarnation,
  outcome: RunOutcome | null,
): Promise<boolean> {
  if (!lease.end()) return false;
  await replaceWhole(
    incarnationPath(folder, incarnation.number),
    seal({ format: FORMAT, ...incarnation, endedAt: Date.now(), outcome }),
  );
  return true;
}

/** All incarnations of the run in this folder, oldest first. */
export async function allIncarnations(folder: string): Promise<readonly Incarnation[]> {
  const numbers = (await numbersIn(folder)).sort((a, b) => a - b);
  return Promise.all(numbers.map((number) => readIncarnation(folder, number)));
}

/** The last incarnation of the run in this folder; undefined before the first. */
export async function lastIncarnation(folder: string): Promise<Incarnation | undefined> {
  const numbers = await numbersIn(folder);
  return numbers.length === 0 ? undefined : readIncarnation(folder, Math.max(...numbers));
}

/** The last incarnation that has done any work, whether it has ended or not. */
export async function lastAtWork(folder: string): Promise<Incarnation | undefined> {
  for (const number of (await numbersIn(folder)).sort((a, b) => b - a)) {
    const incarnation = await readIncarnation(folder, number);
    if (incarnation.outcome !== null) return incarnation;
  }
  return undefined;
}

/** The files of incarnations that are damaged. */
export async function damagedIncarnations(folder: string): Promise<string[]> {
  const found = await allIncarnations(folder);
  return found.flatMap(({ isDamaged, number }) => (isDamaged === true ? [incarnationPath(folder, number)] : []));
}

/** Whether the incarnation is working on the run, as far as this process can check. */
export async function isAlive(folder: string, incarnation: Incarnation): Promise<boolean> {
  if (incarnation.endedAt !== undefined) return false;
  if (incarnation.isDamaged !== true && (await isRunning(incarnation)) === false) return false;
  return !(await isSilent(incarnationPath(folder, incarnation.number)));
}

/** The file that exists once the incarnation with this number has begun. */
export function incarnationPath(folder: string, number: number): string {
  return join(folder, `incarnation-${number}.json`);
}

async function numbersIn(folder: string): Promise<number[]> {
  return (await readdir(folder)).flatMap((name) => /^incarnation-(\d+)\.json$/.exec(name)?.slice(1).map(Number) ?? []);
}

/** A damaged file is returned as an incarnation with `isDamaged`. */
async function readIncarnation(folder: string, number: number): Promise<Incarnation> {
  const bytes = await readFile(incarnationPath(folder, number));
  try {
    const { state, value } = unseal(bytes);
    if (state === 'whole' && isIncarnation(value, number)) {
      const { format: _, ...incarnation } = value;
      return incarnation;
    }
  } catch {
    // The file is not JSON.
  }
  return { number, pid: 0, host: 'an unknown host', processStart: null, startedAt: 0, isDamaged: true };
}

function isIncarnation(found: unknown, number: number): found is Incarnation & { readonly format: number } {
  const value = found as Partial<Record<keyof Incarnation | 'format', unknown>>;
  const hasTimes = [value.startedAt, value.endedAt ?? 0].every((time) => typeof time === 'number');
  const isProcess = typeof value.pid === 'number' && typeof value.host === 'string';
  return value.format === FORMAT && value.number === number && isProcess && hasTimes;
}

function locked(runId: string, incarnation: Incarnation | undefined): MillraceError {
  const who = incarnation === undefined ? 'another process' : `process ${incarnation.pid} on ${incarnation.host}`;
  return new MillraceError(
    'MILLRACE_LOCKED',
    `Run ${runId} is being worked on by ${who}. Wait for it to end, or stop it. A process that has died elsewhere can be replaced ${LEASE_MS / 1000} seconds after its last sign of life`,
  );
}
