/**
 * From a reference to the thing itself, the same inline and in a thread. Promise: what is not there, or is not what it
 * should be, is refused with the module, the export and what was found.
 */
import { FatalTaskError, describeValue } from '../model/errors.js';
import type { ExportKind, ModuleRef } from './executor.js';

/** What an aggregate looks like to who runs it; the typed face is `Aggregate` of `aggregateTask`. */
export interface AnyAggregate {
  readonly key?: (record: unknown) => unknown;
  readonly init: (key: unknown) => unknown;
  readonly add: (state: unknown, record: unknown) => unknown;
  readonly merge?: (left: unknown, right: unknown) => unknown;
  readonly finish: (state: unknown, key: unknown) => unknown;
}

/** The export as it is, or what it gives for `args`. */
export async function loadExport(ref: ModuleRef): Promise<unknown> {
  const exports = (await import(ref.module)) as Record<string, unknown>;
  const found = exports[ref.export];
  if (!('args' in ref)) return found;
  if (typeof found !== 'function') throw refuse(ref, 'a factory, because it was given `args`', found);
  return (found as (args: unknown) => unknown)(ref.args);
}

/** The export, checked to be of the kind. */
export async function loadChecked(ref: ModuleRef, as: ExportKind): Promise<unknown> {
  const found = await loadExport(ref);
  if (as === 'function' ? typeof found === 'function' : isAggregate(found)) return found;
  throw refuse(ref, as === 'function' ? 'a function' : 'an aggregate with `init`, `add` and `finish`', found);
}

/** What an export gives when it is called with `args`, checked to be iterable. */
export async function loadStream(ref: ModuleRef): Promise<Iterable<unknown> | AsyncIterable<unknown>> {
  const made = 'args' in ref ? await loadExport(ref) : await callWithoutArgs(ref);
  if (typeof made === 'object' && made !== null && (Symbol.asyncIterator in made || Symbol.iterator in made)) {
    return made as Iterable<unknown> | AsyncIterable<unknown>;
  }
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `Expected export '${ref.export}' of ${ref.module} to give an iterable or async iterable`,
  );
}

async function callWithoutArgs(ref: ModuleRef): Promise<unknown> {
  const found = (await loadChecked(ref, 'function')) as () => unknown;
  return found();
}

function isAggregate(value: unknown): value is AnyAggregate {
  if (typeof value !== 'object' || value === null) return false;
  const parts = value as Record<string, unknown>;
  return ['init', 'add', 'finish'].every((part) => typeof parts[part] === 'function');
}

function refuse(ref: ModuleRef, wanted: string, got: unknown): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `Expected export '${ref.export}' of ${ref.module} to be ${wanted}, got ${describeValue(got)}`,
  );
}
