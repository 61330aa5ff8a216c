/**
 * A lease: a small file that its owner renews while it works, so that a silent owner can be replaced, also from another
 * host.
 *
 * Guarantees: the file appears complete and at most once per name; a link in its place is never followed. An owner that
 * was not able to renew in time checks the file before it continues, and stops if another owner has taken over. Ages
 * are measured with the clock of the file system, so the clocks of hosts need not agree.
 */
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { link, lstat, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../model/errors.js';
import { systemCodeOf } from './file-errors.js';

/** An owner that has not renewed for this long, in milliseconds, may be replaced. */
export const LEASE_MS = 30_000;
const RENEW_EVERY_MS = 5_000;
/** An owner that has not renewed for this long checks the file before it writes. */
const STALE_MS = 10_000;

const LOOK_EVERY_MS = 250;

/** Options of `Lease.hold`. */
export interface LeaseOptions {
  /** The file of the lease, which exists and holds `text`. */
  readonly place: string;
  readonly text: string;
  /** A file that exists once another owner has taken over. Default: the lease file itself changes. */
  readonly successor?: string;
  /** The message of the error once the lease is lost. */
  readonly lost: string;
}

export class Lease {
  private readonly options: LeaseOptions;
  private readonly bytes: Buffer;
  private readonly timer: NodeJS.Timeout;
  private readonly listeners: ((error: MillraceError) => void)[] = [];
  private renewedMs = nowMs();
  private loss: MillraceError | undefined;
  private isOver = false;

  private constructor(options: LeaseOptions) {
    this.options = options;
    this.bytes = Buffer.from(options.text);
    this.timer = setInterval(() => {
      this.renew();
    }, RENEW_EVERY_MS);
    this.timer.unref();
  }

  /** Renews the lease from now on, until `end`. */
  static hold(options: LeaseOptions): Lease {
    return new Lease(options);
  }

  /** Whether this owner still holds the lease. Checks the file if the last renewal is too old. */
  isHeld(): boolean {
    if (this.loss === undefined && !this.isOver && silence(this.renewedMs) > STALE_MS) this.renew();
    return this.loss === undefined;
  }

  /** Throws MILLRACE_LOCKED once another owner has taken over. Call it before each write: it is cheap. */
  assertHeld(): void {
    if (!this.isHeld()) throw this.loss as MillraceError;
  }

  /** Adds a listener, called once if the lease is lost. */
  whenLost(listener: (error: MillraceError) => void): void {
    this.listeners.push(listener);
    if (this.loss !== undefined) listener(this.loss);
  }

  /** Stops the renewal. Returns whether this owner has held the lease until now. */
  end(): boolean {
    if (!this.isOver && this.loss === undefined) this.renew();
    this.isOver = true;
    clearInterval(this.timer);
    return this.loss === undefined;
  }

  /** Writes the same bytes again, which sets the time of the file by the clock of its file system. */
  private renew(): void {
    const { place, successor, lost } = this.options;
    let isOurs: boolean;
    try {
      isOurs = (successor === undefined || !existsSync(successor)) && this.touch(place);
    } catch (error) {
      const code = systemCodeOf(error);
      // Another owner has renamed its file into place or removed it. Any other error is no evidence of another owner.
      isOurs = code !== 'ENOENT' && code !== 'ELOOP' && silence(this.renewedMs) < LEASE_MS;
      if (isOurs) return;
    }
    if (isOurs) {
      this.renewedMs = nowMs();
      return;
    }
    this.loss = new MillraceError('MILLRACE_LOCKED', lost);
    clearInterval(this.timer);
    for (const listener of this.listeners) listener(this.loss);
  }

  /** Returns false if the file holds other bytes. */
  private touch(place: string): boolean {
    const file = openSync(place, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { length } = this.bytes;
      const there = Buffer.alloc(length + 1);
      const read = readSync(file, there, 0, length + 1, 0);
      if (!there.subarray(0, read).equals(this.bytes)) return false;
      writeSync(file, this.bytes, 0, length, 0);
      return true;
    } finally {
      closeSync(file);
    }
  }
}

/** Makes the file with this text, complete from its first moment. Returns false if the name exists already. */
export async function createWhole(place: string, text: string): Promise<boolean> {
  const temporary = temporaryOf(place);
  await writeFile(temporary, text, { flag: 'wx' });
  try {
    await link(temporary, place);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    return await createPlain(place, text);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Puts the file with this text in place of another one. */
export async function replaceWhole(place: string, text: string): Promise<void> {
  const temporary = temporaryOf(place);
  await writeFile(temporary, text, { flag: 'wx' });
  await rename(temporary, place);
}

/**
 * Resolves with true once the owner of the lease in this file has not renewed it for `LEASE_MS`, and with false once
 * the owner renews it. If the owner is known to run and has not missed a renewal, resolves with false at once.
 */
export async function untilSilent(place: string, isKnownToRun: boolean): Promise<boolean> {
  const since = (await lstat(place).catch(() => undefined))?.mtimeMs;
  if (isKnownToRun && since !== undefined && Math.abs((await clockOf(place)) - since) < STALE_MS) return false;
  for (;;) {
    if (await isSilent(place)) return true;
    if ((await lstat(place).catch(() => undefined))?.mtimeMs !== since) return false;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Whether the owner of the lease in this file has not renewed it for `LEASE_MS`. True for a missing file. */
export async function isSilent(place: string): Promise<boolean> {
  const facts = await lstat(place).catch(() => undefined);
  if (facts === undefined) return true;
  if (Math.abs(Date.now() - facts.mtimeMs) < LEASE_MS / 2) return false;
  // An age below zero: the clock of the file system was set back, or the file came from elsewhere.
  return Math.abs((await clockOf(place)) - facts.mtimeMs) > LEASE_MS;
}

/** Like `createWhole`, for file systems without hard links. */
async function createPlain(place: string, text: string): Promise<boolean> {
  try {
    const file = await open(place, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * The time by the clock of the file system of this file; the time of this host if no file can be written there.
 */
async function clockOf(place: string): Promise<number> {
  const probe = temporaryOf(place);
  try {
    await writeFile(probe, '', { flag: 'wx' });
    return (await stat(probe)).mtimeMs;
  } catch {
    return Date.now();
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

function temporaryOf(place: string): string {
  return `${place}.${globalThis.crypto.randomUUID().slice(0, 8)}.tmp`;
}

/** A time by two clocks: the first continues while the process is stopped, the second also while the machine sleeps. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

function nowMs(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

function silence(since: Moment): number {
  return Math.max(performance.now() - since.monotonicMs, Date.now() - since.wallMs);
}
