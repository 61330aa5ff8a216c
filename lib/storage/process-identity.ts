/**
 * Identifies a process, so that another process can check whether it is still running.
 *
 * Guarantees: a process counts as the same only if its id and its start time match, because systems reuse ids. For a
 * process that this one cannot check (on another host, or in another container) the answer is `undefined`.
 */
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Plain data. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** The start time of the process as the system reports it; null if the system does not. */
  readonly processStart: string | null;
  /**
   * The namespace of its id: containers may share a host name, and have processes of the same id. Absent if unknown.
   */
  readonly idSpace?: string;
}

export async function thisProcess(): Promise<ProcessIdentity> {
  const idSpace = await idSpaceOfThis();
  return {
    pid: process.pid,
    host: hostname(),
    processStart: await processStartOf(process.pid),
    ...(idSpace === undefined ? {} : { idSpace }),
  };
}

/** Whether the process is running; undefined for a process that cannot be checked here. */
export async function isRunning({ pid, host, processStart, idSpace }: ProcessIdentity): Promise<boolean | undefined> {
  if (host !== hostname()) return undefined;
  const ours = await idSpaceOfThis();
  if (idSpace !== undefined && ours !== undefined && idSpace !== ours) return undefined;
  if (!isThere(pid)) return false;
  return processStart === null || processStart === (await processStartOf(pid, true));
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Linux: pid_namespaces(7). The boot is part of it, because the numbers of namespaces start again with each boot. */
async function idSpaceOfThis(): Promise<string | undefined> {
  const space = await readlink('/proc/self/ns/pid').catch(() => undefined);
  return space === undefined ? undefined : `${await bootId()}/${space}`;
}

/**
 * The start of a process. Linux reports it in clock ticks since boot (proc(5), /proc/pid/stat, field 22). With
 * `mustLive`, null for a zombie: a process that has ended and that its parent has not reaped. In a container whose
 * first process reaps no children, all ended orphans stay zombies.
 */
async function processStartOf(pid: number, mustLive = false): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return null;
  // The second field is the program name in brackets, which may contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (mustLive && /^[ZX]$/.test(fields[0] ?? '')) return null;
  return `${await bootId()}/${fields[19] ?? ''}`;
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}
