/**
 * Identifies a process, so that another process can check whether it is still running.
 *
 * Guarantees: a process counts as the same only if its id and its start time match, because systems reuse ids.
 */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Plain data. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** The start time of the process as the system reports it; null if the system does not. */
  readonly processStart: string | null;
}

export async function thisProcess(): Promise<ProcessIdentity> {
  return { pid: process.pid, host: hostname(), processStart: await processStartOf(process.pid) };
}

/** Whether the process is running; undefined for a process on another machine, which cannot be checked here. */
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

/** The start of a process. Linux reports it in clock ticks since boot (proc(5), /proc/pid/stat, field 22). */
async function processStartOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return null;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  // The second field is the program name in brackets, which may contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${boot.trim()}/${fields[19] ?? ''}`;
}
