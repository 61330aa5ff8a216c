/**
 * Decides whether the file at a path may be replaced by events, dead letters or rows.
 *
 * Guarantees: the check changes nothing. Only a recording is replaced by events, only dead letters by dead letters, and
 * only files of the same kind by rows; any other file stays. Anything but a regular file (a terminal, `/dev/null`, a
 * pipe) is not read.
 */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { constants as zlib, gunzipSync } from 'node:zlib';
import { MillraceError } from '../model/errors.js';
import { factsOf } from './facts-of.js';
import { fileError } from './file-errors.js';

/** The number of bytes that are read of a file: its first line, or the beginning of a long one. */
const HEAD_BYTES = 64 * 1024;

/** The beginning of a recording, up to the first field that may be long. */
const RECORDING_START = /^\{"type":"run-started","version":\d+,"at":\d+/;

/** The beginning of every letter: its first key is `runId`. */
const LETTER_START = '{"runId":"';

/** The first line of a file: parsed, or only its beginning if the line is very long or was cut off. */
type FirstLine = { readonly json: unknown } | { readonly beginning: string };

/** Throws MILLRACE_FILE if events cannot be written to this path, or would replace anything but a recording. */
export function assertForEvents(path: string): Promise<void> {
  return assertReplaceable(path, 'events', isRecording);
}

/** Throws MILLRACE_FILE if letters cannot be written to this path, or would replace anything but dead letters. */
export function assertForLetters(path: string): Promise<void> {
  return assertReplaceable(path, 'dead letters', isLetter);
}

/** The kind of file to which rows are written. */
export interface RowFileKind {
  /** Matches the names of such files, without `.gz`. The content of a file with another name is checked. */
  readonly names: RegExp;
  /** A name for messages: `.csv`. */
  readonly ending: string;
  /** Whether a file with this beginning is of this kind, independent of its name. */
  isKnownBy(head: string): boolean;
}

/**
 * Throws MILLRACE_FILE if rows would replace a file of another kind: neither its name nor its beginning is of this
 * kind. `isPacked` is true for a file compressed with gzip.
 */
export async function assertForRows(path: string, kind: RowFileKind, isPacked: boolean): Promise<void> {
  if (kind.names.test(isPacked ? path.replace(/\.gz$/i, '') : path)) return;
  const head = await headOf(path, isPacked);
  if (head === '' || kind.isKnownBy(head)) return;
  throw new MillraceError(
    'MILLRACE_FILE',
    `Cannot write rows to ${path}: it holds something else, which they would replace. Move it away, or name a file that ends in ${kind.ending}`,
  );
}

/** Whether the file contains dead letters of this run. The file may be cut off anywhere. */
export async function holdsLettersOf(path: string, runId: string): Promise<boolean> {
  const head = await headOf(path);
  const own = `{"runId":${JSON.stringify(runId)},`;
  const isOfRun = head.length < own.length ? own.startsWith(head) : head.startsWith(own) && isLetter(firstLineOf(head));
  return head !== '' && isOfRun;
}

/** An empty or missing file may always be replaced. */
async function assertReplaceable(path: string, what: string, isOurs: (line: FirstLine) => boolean): Promise<void> {
  const head = await headOf(path).catch((error: unknown) => {
    throw fileError('write', path, error, what);
  });
  if (head === '' || isOurs(firstLineOf(head))) return;
  throw new MillraceError(
    'MILLRACE_FILE',
    `Cannot write ${what} to ${path}: it holds something else, which they would replace. Move it away, or name another file`,
  );
}

function isRecording(line: FirstLine): boolean {
  if ('beginning' in line) return RECORDING_START.test(line.beginning);
  const { type, version, at } = (line.json ?? {}) as Partial<Record<'type' | 'version' | 'at', unknown>>;
  return type === 'run-started' && typeof version === 'number' && typeof at === 'number';
}

function isLetter(line: FirstLine): boolean {
  if ('beginning' in line) return line.beginning.startsWith(LETTER_START);
  const { json } = line;
  return typeof json === 'object' && json !== null && 'runId' in json && 'task' in json && 'lineage' in json;
}

function firstLineOf(head: string): FirstLine {
  const end = head.indexOf('\n');
  if (end < 0) return { beginning: head };
  try {
    return { json: JSON.parse(head.slice(0, end)) };
  } catch {
    return { json: undefined };
  }
}

/**
 * The beginning of the file; '' if it is missing or not a regular file. Throws the system's error if it is not
 * writable.
 */
async function headOf(path: string, isPacked = false): Promise<string> {
  const facts = await factsOf(path);
  if (facts === undefined) {
    await access(dirname(path), constants.W_OK);
    return '';
  }
  if (facts.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
  await access(path, constants.W_OK);
  if (!facts.isFile()) return '';
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const head = buffer.subarray(0, bytesRead);
    return (isPacked ? unpacked(head) : head).toString('utf8');
  } finally {
    await file.close();
  }
}

/** The uncompressed beginning of a gzip file; the bytes themselves if they are not gzip. */
function unpacked(head: Buffer): Buffer {
  try {
    return gunzipSync(head, { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: 4 * HEAD_BYTES });
  } catch {
    return head;
  }
}
