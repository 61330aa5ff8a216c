/**
 * Determines the file, device or pipe that the path of a result leads to, before anything is written to it.
 *
 * Guarantees: the check opens and changes nothing. A path that no result may be written to (a folder, a socket, a disk,
 * a file without permission) is refused with the reason. Links are followed to the file that they name.
 */
import { constants, lstatSync, readlinkSync, type BigIntStats, type Stats } from 'node:fs';
import { access, lstat, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { MillraceError } from '../model/errors.js';
import { factsOf } from './facts-of.js';
import { fileError } from './file-errors.js';
import { MOST_LINKS, whereItLeads } from './touched-file.js';

/** A regular file, or a place where one can be made. The result is written beside it first. */
export interface FilePlace {
  /** Distinguishes the two kinds of places. */
  readonly kind: 'file';
  /** The path without a link at its end: a rename to it replaces the file, not a link to it. */
  readonly path: string;
  /** The permission bits of the existing file; undefined if there is none. */
  readonly mode: number | undefined;
  /**
   * True if the existing file must be filled instead of replaced: it belongs to another user or has several names, and
   * a new file in its place would lose that owner or those names.
   */
  readonly isFilled: boolean;
}

/** A device, a terminal or a pipe. Data that was written to it cannot be removed again. */
export interface StreamPlace {
  readonly kind: 'stream';
  readonly path: string;
}

export type ResultPlace = FilePlace | StreamPlace;

const STANDARD_OUTPUT = /^\/(?:dev\/(?:stdout|fd\/1)|proc\/(?:self|\d+)\/fd\/1)$/;
/** The paths of open descriptors. */
const DESCRIPTOR = /^\/(?:dev\/(?:stdin|stdout|stderr|fd\/\d+)|proc\/(?:self|\d+)\/fd\/\d+)$/;

/** Whether the path leads to the standard output of this process. */
export function isStandardOutput(path: string): boolean {
  return wayOf(path).some((at) => STANDARD_OUTPUT.test(at));
}

/** The place at the path. Throws MILLRACE_FILE, or the error of the system, if no result may be written to it. */
export async function lookAtResult(path: string): Promise<ResultPlace> {
  if (/[\\/]$/.test(path)) throw folder();
  const itself = await factsOf(path, lstat);
  if (itself === undefined) return missing(path);
  const isLink = itself.isSymbolicLink();
  const facts = isLink ? await factsOf(path) : itself;
  if (facts === undefined) return missing(whereItLeads(resolve(path)));
  if (facts.isDirectory()) throw folder();
  if (!facts.isFile() && !facts.isFIFO() && !facts.isCharacterDevice()) throw refusal(path, `it is ${kindOf(facts)}`);
  await access(path, constants.W_OK);
  if (!facts.isFile()) return { kind: 'stream', path };
  if (isLink && leadsThroughDescriptor(path)) {
    throw refusal(path, `it is an open descriptor of the file ${await realpath(path).catch(() => 'behind it')}`);
  }
  const user = process.geteuid?.();
  return {
    kind: 'file',
    path: isLink ? await realpath(path) : path,
    mode: facts.mode & 0o7777,
    isFilled: facts.nlink > 1 || (user !== undefined && facts.uid !== user),
  };
}

/**
 * The path beside which the temporary files of a result are made: where a link leads, or the path itself. Undefined if
 * the result needs none, because the path leads to a device or a pipe.
 */
export function resultPathOf(path: string): string | undefined {
  const facts = linkFactsOf(path);
  if (facts === undefined) return path;
  if (!facts.isSymbolicLink()) return isStream(facts) ? undefined : path;
  if (leadsThroughDescriptor(path)) return undefined;
  const end = whereItLeads(resolve(path));
  const target = linkFactsOf(end);
  return target !== undefined && isStream(target) ? undefined : end;
}

/**
 * The facts of the path itself. Undefined if there is nothing, if the path goes through a file, or if a folder cannot
 * be searched: the later opening of the path reports the reason.
 */
function linkFactsOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false, bigint: true });
  } catch {
    return undefined;
  }
}

/**
 * Resolves with true if there is a file at this path, which is beside a result and reserved for it. Throws
 * MILLRACE_FILE if it is anything but a regular file: a link or another object that another program put there must be
 * neither followed nor removed.
 */
export async function assertOwnFile(path: string): Promise<boolean> {
  const facts = await factsOf(path, lstat);
  if (facts === undefined) return false;
  if (facts.isFile()) return true;
  throw refusal(
    path,
    `it is ${kindOf(facts)}, and no run has made it`,
    'remove it, or write the result to another path',
  );
}

function isStream(facts: Stats | BigIntStats): boolean {
  return facts.isFIFO() || facts.isCharacterDevice();
}

async function missing(path: string): Promise<FilePlace> {
  await access(dirname(path), constants.W_OK).catch((error: unknown) => {
    throw fileError('write', path, error);
  });
  return { kind: 'file', path, mode: undefined, isFilled: false };
}

function leadsThroughDescriptor(path: string): boolean {
  return wayOf(path).some((at) => DESCRIPTOR.test(at));
}

/** The path and the links that it leads through. */
function wayOf(path: string): readonly string[] {
  const way = [resolve(path)];
  while (way.length <= MOST_LINKS) {
    const at = way.at(-1) as string;
    try {
      way.push(resolve(dirname(at), readlinkSync(at)));
    } catch {
      break;
    }
  }
  return way;
}

function kindOf(facts: Stats): string {
  if (facts.isSymbolicLink()) return 'a link';
  if (facts.isDirectory()) return 'a folder';
  if (facts.isFIFO()) return 'a pipe';
  if (facts.isSocket()) return 'a socket';
  return 'a device';
}

function folder(): Error {
  return Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
}

function refusal(path: string, what: string, fix = 'name a file'): MillraceError {
  return new MillraceError('MILLRACE_FILE', `Cannot write ${path}: ${what}; ${fix}`);
}
