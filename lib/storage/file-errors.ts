/**
 * Errors of the operating system as one sentence that names the file, the problem and the fix.
 *
 * Guarantees: the system's own error is always kept as the cause.
 */
import { existsSync, statSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { MillraceError, describeThrown } from '../model/errors.js';

/**
 * The MILLRACE_FILE error for a system error on this file. `what` is the data that is read or written, such as
 * 'events'.
 */
export function fileError(action: 'read' | 'write', path: string, thrown: unknown, what?: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const object = what === undefined ? path : `${what} ${action === 'read' ? 'from' : 'to'} ${path}`;
  return new MillraceError('MILLRACE_FILE', `Cannot ${action} ${object}: ${reasonOf(action, path, thrown)}`, {
    cause: thrown,
  });
}

function reasonOf(action: 'read' | 'write', path: string, thrown: unknown): string {
  switch (systemCodeOf(thrown)) {
    case 'ENOENT':
    case 'ENOTDIR':
      if (action === 'write') {
        const file = fileOnTheWay(path);
        if (file !== undefined) return `'${file}' is a file, not a folder; name a folder that exists`;
        return existsSync(dirname(path))
          ? 'it disappeared while it was written; let no other program write or remove it'
          : `the folder '${dirname(path)}' does not exist; create it first`;
      }
      return isAbsolute(path)
        ? 'there is no such file; check the path'
        : `there is no such file; check the path, which leads to ${resolve(path)}`;
    case 'EISDIR':
      return action === 'read'
        ? 'it is a folder; name a file in it'
        : 'it is a folder; name a file that may be written in it';
    case 'EACCES':
    case 'EPERM':
      return `no permission; give yourself the right to ${action} it, or choose another file`;
    case 'EROFS':
      return 'the disk is read-only; choose another place';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; free some space or choose another place';
    case 'ENAMETOOLONG':
      return 'its name is too long for the file system; choose a shorter one';
    case 'ELOOP':
      return 'its links lead in a circle; remove one of them';
    case 'EFBIG':
      return 'the file system, or a limit of this process, does not allow a file of this size';
    case 'ENXIO':
      // The system opens no socket, and for reading it opens each pipe.
      if (action === 'read') return 'it is a socket, or a device that is not there; name a file or a pipe';
      return 'no program reads from this pipe; start its reader first';
    case 'EPIPE':
      return 'the program that reads from this pipe has ended; keep it running until the run is over';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open; close some or raise the limit';
    default:
      return messageOf(thrown);
  }
}

/** The part of the path that should be a folder and is a file, if there is one. */
function fileOnTheWay(path: string): string | undefined {
  for (let at = dirname(path); ; at = dirname(at)) {
    const facts = factsOf(at);
    if (facts !== undefined) return facts.isDirectory() ? undefined : at;
    if (dirname(at) === at) return undefined;
  }
}

/** Undefined also for a path through a file, which Node reports as an error. */
function factsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** The system code of an error, such as `ENOENT`, if it has one. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Like `describeThrown`, but also for errors of another realm, such as system errors while tests run in a context. */
export function messageOf(thrown: unknown): string {
  const isError = typeof thrown === 'object' && thrown !== null && 'message' in thrown;
  return isError && typeof thrown.message === 'string' ? thrown.message : describeThrown(thrown);
}
