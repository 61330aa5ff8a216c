/**
 * Reads a whole configuration file.
 *
 * Guarantees: the result is an object of plain JSON; each problem is one sentence that names the file, the line if
 * there is one, and the fix.
 */
import { readFile } from 'node:fs/promises';
import { MillraceError, describeValue } from '../../model/errors.js';
import { fileProblem, whyUnreadable, type NamedFile } from '../file-problem.js';
import { JsonError, parseStrictJson, type JsonObject, type JsonValue } from './strict-json.js';

/** The object in the file. Throws MILLRACE_CONFIG. */
export async function readConfig(file: NamedFile): Promise<JsonObject> {
  const problem = fileProblem('config file', file);
  if (problem !== undefined) throw refuse(problem);
  let bytes: Buffer;
  try {
    bytes = await readFile(file.path);
  } catch (error) {
    throw refuse(whyUnreadable('config file', file, error), error);
  }
  return parseConfigBytes(bytes, file.shown);
}

/** The object in these bytes; `shown` is the name of their file in messages. Throws MILLRACE_CONFIG. */
export function parseConfigBytes(bytes: Uint8Array, shown: string): JsonObject {
  const value = parse(decode(bytes, shown), shown);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw refuse(
    `Expected the config file ${shown} to hold an object such as {"key": "value"}, got ${describeValue(value)}`,
  );
}

function decode(bytes: Uint8Array, shown: string): string {
  const [first, second, third] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw refuse(`The config file ${shown} is UTF-16. Save it as UTF-8 without a byte order mark`);
  }
  if (first === 0xef && second === 0xbb && third === 0xbf) {
    throw refuse(`The config file ${shown} starts with a byte order mark. Save it as UTF-8 without one`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw refuse(`The config file ${shown} is not UTF-8 text. Save it as UTF-8`, error);
  }
  if (text.trim() !== '') return text;
  throw refuse(`The config file ${shown} is empty. Write a JSON object into it; {} takes every default`);
}

function parse(text: string, shown: string): JsonValue {
  try {
    return parseStrictJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const where = `line ${error.line}, column ${error.column}`;
    const what = error.kind === 'syntax' ? 'is not JSON' : 'is not accepted';
    throw refuse(`The config file ${shown} ${what}: ${where}: ${error.message}`, error);
  }
}

function refuse(message: string, cause?: unknown): MillraceError {
  return new MillraceError('MILLRACE_CONFIG', message, cause === undefined ? {} : { cause });
}
