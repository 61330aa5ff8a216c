/**
 * Loads the export that a reference names, the same way inline and in a thread.
 *
 * Guarantees: a missing or unfit export is refused with its module, its name and the value found.
 */
import { FatalTaskError, describeValue } from '../model/errors.js';
import type { ExportKind, ModuleRef } from './executor.js';
import { loadingThread, taggedExport } from './thread-function.js';

/**
 * The import of a module that has finished takes no time. A tagged module whose import takes longer than this is
 * assumed to wait for its own run.
 */
const UNFINISHED_MS = 200;

/** An aggregate without its types; the typed interface is `Aggregate` of `aggregateTask`. */
export interface AnyAggregate {
  /** The key of a record. Default: one key for all. */
  readonly key?: (record: unknown) => unknown;
  /** The state of a key before its first record. */
  readonly init: (key: unknown) => unknown;
  /** The state after a record. */
  readonly add: (state: unknown, record: unknown) => unknown;
  /** The state of two consecutive parts. */
  readonly merge?: (left: unknown, right: unknown) => unknown;
  /** The output of a key. */
  readonly finish: (state: unknown, key: unknown) => unknown;
}

/** The functions of a stateful task without their types; the typed interface is `Stateful` of `statefulTask`. */
export interface AnyStateful {
  readonly key?: (record: unknown) => unknown;
  readonly init: (key: unknown) => unknown;
  readonly step: (state: unknown, record: unknown, context: unknown) => readonly [state: unknown, output: unknown];
}

/** The members that an export of each kind must have, and its description. */
const KINDS = {
  aggregate: [['init', 'add', 'finish'], 'an aggregate with `init`, `add` and `finish`'],
  stateful: [['init', 'step'], 'an object with `init` and `step`'],
} as const;

/** The export itself, or the result of the export called with `args`. Throws MILLRACE_INVALID_OPTION. */
export async function loadExport(ref: ModuleRef): Promise<unknown> {
  const found = await (loadingThread()?.load(ref) ?? findInline(ref));
  if (!('args' in ref)) return found;
  if (typeof found !== 'function') throw refuse(ref, 'a factory, because it was given `args`', found);
  return (found as (args: unknown) => unknown)(ref.args);
}

/** The export, checked for its kind. Throws MILLRACE_INVALID_OPTION. */
export async function loadChecked(ref: ModuleRef, as: ExportKind): Promise<unknown> {
  const found = await loadExport(ref);
  if (as === 'function') {
    if (typeof found === 'function') return found;
    throw refuse(ref, 'a function', found);
  }
  const [members, description] = KINDS[as];
  if (hasFunctions(found, members)) return found;
  throw refuse(ref, description, found);
}

/** The iterable that the export returns when it is called. Throws MILLRACE_INVALID_OPTION for another result. */
export async function loadStream(ref: ModuleRef): Promise<Iterable<unknown> | AsyncIterable<unknown>> {
  const made = 'args' in ref ? await loadExport(ref) : await callWithoutArgs(ref);
  if (typeof made === 'object' && made !== null && (Symbol.asyncIterator in made || Symbol.iterator in made)) {
    return made as Iterable<unknown> | AsyncIterable<unknown>;
  }
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `Expected export '${ref.export}' of ${ref.module} to return an iterable or async iterable`,
  );
}

async function callWithoutArgs(ref: ModuleRef): Promise<unknown> {
  const found = (await loadChecked(ref, 'function')) as () => unknown;
  return found();
}

function hasFunctions(value: unknown, members: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return members.every((member) => typeof (value as Record<string, unknown>)[member] === 'function');
}

function refuse(ref: ModuleRef, wanted: string, got: unknown): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `Expected export '${ref.export}' of ${ref.module} to be ${wanted}, got ${describeValue(got)}`,
  );
}

/** The export of a module; undefined if it has none of that name. */
export async function importExport(ref: ModuleRef): Promise<unknown> {
  return ((await import(ref.module)) as Record<string, unknown>)[ref.export];
}

/**
 * Imports the export. A module that waits for its own run has not finished when the run needs its export, so its import
 * would wait for ever: then the tagged export is used.
 */
async function findInline(ref: ModuleRef): Promise<unknown> {
  const known = taggedExport(ref);
  if (known === undefined) return importExport(ref);
  let timer: NodeJS.Timeout | undefined;
  const unfinished = new Promise((resolve) => {
    timer = setTimeout(resolve, UNFINISHED_MS, known);
  });
  return Promise.race([importExport(ref), unfinished]).finally(() => {
    clearTimeout(timer);
  });
}
