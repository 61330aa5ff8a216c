/**
 * Imports a module that is not ours. Promise: what goes wrong while it loads is one MillraceError that names the file, what
 * was thrown and where; what was thrown is its cause.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MillraceError, codeOf, describeThrown, ERROR_CODES, type ErrorCode } from '../model/errors.js';
import { prepareTypeScript } from '../workers/typescript.js';
import { kindProblem } from './module-kind.js';

/** The exports of the module at this path; `shown` is what messages call it. Throws MILLRACE_UNKNOWN_WORKFLOW. */
export async function importModule(path: string, shown = path): Promise<Readonly<Record<string, unknown>>> {
  // Asked before: Node would print a warning of its own.
  const problem = kindProblem(path);
  if (problem !== undefined) throw new MillraceError('MILLRACE_UNKNOWN_WORKFLOW', `Cannot load ${shown}: ${problem}`);
  const url = pathToFileURL(path).href;
  const unable = await prepareTypeScript(url);
  if (unable !== undefined) throw new MillraceError('MILLRACE_UNKNOWN_WORKFLOW', `${shown} ${unable}`);
  try {
    return (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new MillraceError(codeFor(error), `Cannot load ${shown}: ${describeLoadError(error, path)}`, {
      cause: error,
    });
  }
}

/** An error of ours keeps its code: it already says what is wrong. */
function codeFor(error: unknown): ErrorCode {
  const code = codeOf(error);
  return Object.hasOwn(ERROR_CODES, code) && code !== 'MILLRACE_TASK'
    ? (code as ErrorCode)
    : 'MILLRACE_UNKNOWN_WORKFLOW';
}

function describeLoadError(error: unknown, path: string): string {
  const code = codeOf(error);
  const message = describeThrown(error);
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const missing = /'([^']+)\.([cm]?)js' imported from/.exec(message);
    const source = missing === null ? '' : `${String(missing[1])}.${String(missing[2])}ts`;
    const fix = existsSync(source)
      ? `Node does not look for ${basename(source)} under that name: import ${basename(source)}, or install tsx (npm install --save-dev tsx)`
      : 'Check that import, or install the package it names';
    return `${sentence(withoutRequireStack(message))} ${fix}`;
  }
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return `${sentence(message)} Node only takes types out; for the rest install tsx (npm install --save-dev tsx)`;
  }
  const kind = error instanceof Error && error.name !== 'Error' && error.name !== 'MillraceError' ? error.name : '';
  const where = error instanceof SyntaxError ? placeOfSyntaxError(path) : placeOf(error);
  return `${kind === '' || message === kind ? '' : `${kind}: `}${message}${where === undefined ? '' : ` (at ${where})`}`;
}

/** Where the stack says it happened: a file and line, but none of Node's own. */
function placeOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return firstPlace(stack);
}

/** The stack of a syntax error does not say where it is, but Node prints it where it only checks the file. */
function placeOfSyntaxError(path: string): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' });
  return status === 0 ? undefined : firstPlace(stderr);
}

function firstPlace(text: string): string | undefined {
  const found = /(?:^|[\s(])(file:\/\/[^\s)]+?|\/[^\s():]+?):(\d+)(?::\d+)?\)?$/m.exec(text);
  if (found?.[1] === undefined) return undefined;
  const path = found[1].startsWith('file:') ? fileURLToPath(found[1]) : found[1];
  const near = relative('.', path);
  return `${near.startsWith('..') ? path : near}:${String(found[2])}`;
}

function withoutRequireStack(message: string): string {
  return message.split('\nRequire stack')[0] ?? message;
}

function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}
