/**
 * Imports a module of the user.
 *
 * Guarantees: a failure while it loads is one MillraceError that names the file, the thrown error and its place; the
 * thrown error is the cause.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, extname, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MillraceError, codeOf, describeThrown, ERROR_CODES, type ErrorCode } from '../../model/errors.js';
import { prepareTypeScript } from '../../workers/typescript.js';
import type { JobPlace, NodeFacts } from '../place.js';
import { filesImportedBy } from './imported-files.js';
import { kindProblem } from './module-kind.js';
import { SCRIPTS } from './workflow-files.js';

/**
 * The exports of the module at this absolute path. `shown` is its name in messages, and messages show other paths
 * relative to the folder of the place. Throws MILLRACE_UNKNOWN_WORKFLOW.
 */
export async function importModule(
  path: string,
  shown: string,
  { folder, node }: JobPlace,
): Promise<Readonly<Record<string, unknown>>> {
  // Checked before the import, because Node would print its own warning.
  const problem = kindProblem(path, node);
  if (problem !== undefined) throw new MillraceError('MILLRACE_UNKNOWN_WORKFLOW', `Cannot load ${shown}: ${problem}`);
  const url = pathToFileURL(path).href;
  let unable: string | undefined;
  try {
    unable = await prepareTypeScript(url);
    if (unable === undefined) return (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new MillraceError(codeFor(error), `Cannot load ${shown}: ${describeLoadError(error, path, folder, node)}`, {
      cause: error,
    });
  }
  throw new MillraceError('MILLRACE_UNKNOWN_WORKFLOW', `${shown} ${unable}`);
}

/** An error of this package keeps its code, which already names the problem. */
function codeFor(error: unknown): ErrorCode {
  const code = codeOf(error);
  return Object.hasOwn(ERROR_CODES, code) && code !== 'MILLRACE_TASK'
    ? (code as ErrorCode)
    : 'MILLRACE_UNKNOWN_WORKFLOW';
}

function describeLoadError(error: unknown, path: string, folder: string, node: NodeFacts): string {
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
    return `${sentence(message)} Node only removes types; for other syntax install tsx (npm install --save-dev tsx)`;
  }
  return describeWithPlace(
    error,
    folder,
    error instanceof SyntaxError ? stackOfSyntaxError(path, node) : stackOf(error),
  );
}

/** The kind and message of an error, and its first place outside of Node and of this package, relative to `folder`. */
export function describeWithPlace(error: unknown, folder: string, stack = stackOf(error)): string {
  const message = describeThrown(error);
  const kind = error instanceof Error && error.name !== 'Error' && error.name !== 'MillraceError' ? error.name : '';
  const found = firstPlace(stack);
  const where = found && shownFrom(folder, found);
  return `${kind === '' || message === kind ? '' : `${kind}: `}${message}${where === undefined ? '' : ` (at ${where})`}`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : '';
}

/** The most files to check for a syntax error: each costs a process. */
const MAX_CHECKED = 50;

/**
 * The output of `node --check` for the file with the syntax error: the stack of a syntax error has no place in the
 * file, and `node --check` prints it. The error may be in the module or in a module that it imports.
 */
function stackOfSyntaxError(path: string, node: NodeFacts): string {
  const scripts = filesImportedBy([path]).filter((file) => SCRIPTS.includes(extname(file)));
  for (const file of scripts.slice(0, MAX_CHECKED)) {
    const { status, stderr } = spawnSync(node.path, ['--check', file], { encoding: 'utf8' });
    if (status !== 0) return stderr;
  }
  return '';
}

interface Place {
  readonly path: string;
  readonly line: string;
}

/** The folder of the compiled modules of this package. */
const OWN_FOLDER = /^.*\/dist\//.exec(fileURLToPath(import.meta.url))?.[0];

/** The first place in the stack that is neither inside Node nor inside this package: a file and line. */
function firstPlace(stack: string): Place | undefined {
  for (const [, file, line] of stack.matchAll(
    /(?:^|[\s(])(file:\/\/[^\s)]+?|\/[^\s():]+?):(\d+)(?::\d+)?\)?$/gm,
  ) as Iterable<[string, string, string]>) {
    const path = file.startsWith('file:') ? fileURLToPath(file) : file;
    if (OWN_FOLDER === undefined || !path.startsWith(OWN_FOLDER)) return { path, line };
  }
  return undefined;
}

function shownFrom(folder: string, { path, line }: Place): string {
  const near = relative(folder, path);
  return `${near.startsWith('..') ? path : near}:${line}`;
}

function withoutRequireStack(message: string): string {
  return message.split('\nRequire stack')[0] ?? message;
}

function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}
