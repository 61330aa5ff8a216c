/**
 * Which process did something, so that another can tell whether it still lives. Promise: a process that died without a word
 * is recognised by its id and the time it started, because ids are used again.
 */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Plain data. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** What the system says of the start of the process; null where it does not say. */
  readonly processStart: string | null;
}

export async function thisProcess(): Promise<ProcessIdentity> {
  return { pid: process.pid, host: hostname(), processStart: await processStartOf(process.pid) };
}

/** Whether it runs; undefined where it is on another machine, and nobody here can know. */
export async function isRunning({ pid, host, processStart }: ProcessIdentity): Promise<boolean | undefined> {
  if (host !== hostname()) return undefined;
  if (!isThere(pid)) return false;
  return processStart === null || processStart === (await processStartOf(pid));
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Linux tells the start of a process in clock ticks since boot (proc(5), /proc/pid/stat, field 22). */
async function processStartOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return null;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  // The second field is the name of the program in brackets, which may hold spaces and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${boot.trim()}/${fields[19] ?? ''}`;
}
