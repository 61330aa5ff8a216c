/**
 * Functions and aggregates that know where they live, so that a thread can import them too. They stay what they are:
 * callable, importable, testable without a thread. Promise: tagging changes nothing but one symbol property.
 */
import { MillraceError, describeValue } from '../model/errors.js';
import type { ModuleRef } from './executor.js';
import { callback, checkOptions, type OptionRules } from '../options/options.js';

/** In the registry of symbols, so that two copies of the package in one process understand each other. */
const HOME = Symbol.for('millrace.home');

/** What a tag holds: where the value lives, and what of its outputs is moved instead of copied. */
export interface Home {
  readonly ref: ModuleRef;
  readonly transfer?: ((output: never) => readonly object[]) | undefined;
}

/** A value that threads can import: carries its module and export name. */
export type Threadable<T> = T & { readonly [HOME]: Home };

/** Options of a function for threads. */
export interface ThreadFunctionOptions<Out> {
  /** What of an output is moved out of the thread instead of copied, e.g. `({ pixels }) => [pixels.buffer]`. */
  readonly transfer?: (output: Out) => readonly object[];
}

const RULES: OptionRules<ThreadFunctionOptions<never>> = { transfer: callback };

/**
 * A pure function of one record, exported under `name` by the module that calls this with its `import.meta.url`.
 * Throws MILLRACE_INVALID_OPTION for a module that is no URL, an empty name, or options that do not fit.
 *
 * @example export const features = threadFunction(import.meta.url, 'features', (row: Row) => compute(row));
 */
export function threadFunction<In, Out, Rest extends readonly unknown[] = []>(
  moduleUrl: string,
  name: string,
  work: (record: In, ...rest: Rest) => Out,
  options: ThreadFunctionOptions<Out> = {},
): Threadable<(record: In, ...rest: Rest) => Out> {
  checkOptions('a threadFunction', options, RULES);
  return tag(work, { ref: refOf(moduleUrl, name), transfer: options.transfer });
}

/**
 * A function or aggregate that is made from settings. Called here it gives what `make` gives; in a thread the export is
 * called with the same settings, once a thread. Settings must survive structured cloning. The call with settings throws
 * MILLRACE_INVALID_OPTION for a module that is no URL or an empty name.
 *
 * @example
 * export const scorer = threadFactory(import.meta.url, 'scorer', (model: Model) => (row: Row) => score(model, row));
 * cpuTask(scorer(model))
 */
export function threadFactory<Args, T extends object>(
  moduleUrl: string,
  name: string,
  make: (args: Args) => T,
): (args: Args) => Threadable<T> {
  return (args) => tag(make(args), { ref: { ...refOf(moduleUrl, name), args } });
}

/**
 * An aggregate, exported under `name` by the module that calls this with its `import.meta.url`. Throws
 * MILLRACE_INVALID_OPTION for a module that is no URL or an empty name.
 *
 * @example
 * export const total = threadAggregate(import.meta.url, 'total', {
 *   key: (sale: Sale) => sale.shop, init: () => 0, add: (sum, sale) => sum + sale.amount,
 *   merge: (left, right) => left + right, finish: (sum, shop) => ({ shop, sum }) })
 */
export function threadAggregate<T extends object>(moduleUrl: string, name: string, aggregate: T): Threadable<T> {
  return tag(aggregate, { ref: refOf(moduleUrl, name) });
}

/**
 * A schema, exported under `name` by the module that calls this with its `import.meta.url`, so that threads can check
 * with it too. Throws MILLRACE_INVALID_OPTION for a module that is no URL or an empty name.
 *
 * @example export const Row = threadSchema(import.meta.url, 'Row', z.object({ id: z.string(), amount: z.coerce.number() }))
 */
export function threadSchema<T extends object>(moduleUrl: string, name: string, schema: T): Threadable<T> {
  return tag(schema, { ref: refOf(moduleUrl, name) });
}

/** Where a value lives, if it was tagged. */
export function homeOf(value: unknown): Home | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !(HOME in value))
    return undefined;
  return value[HOME] as Home;
}

/** A reference as authors write it, checked. */
function refOf(module: URL | string, name: string): ModuleRef {
  const url = String(module);
  // A relative path would be looked up beside the thread's own entry, which is never what is meant.
  if (!URL.canParse(url)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected the module of '${name}' to be a URL, got ${describeValue(module)}. Write new URL('./file.js', import.meta.url)`,
    );
  }
  if (typeof name !== 'string' || name === '') {
    throw new MillraceError('MILLRACE_INVALID_OPTION', `Expected the name of an export, got ${describeValue(name)}`);
  }
  return { module: url, export: name };
}

/**
 * What a tagged value, or a module URL with the name of an export, refers to.
 * @param user who asks, with an article, for the message.
 */
export function referTo(given: unknown, user: string): ModuleRef {
  const home = homeOf(given);
  if (home !== undefined) return home.ref;
  if (typeof given === 'object' && given !== null && 'module' in given && 'export' in given) {
    const ref = refOf(given.module as URL | string, given.export as string);
    return 'args' in given ? { ...ref, args: given.args } : ref;
  }
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected the work of ${user} to say which module it lives in, got ${describeValue(given)}. Wrap it: export const work = threadFunction(import.meta.url, 'work', …)`,
  );
}

function tag<T extends object>(value: T, home: Home): Threadable<T> {
  Object.defineProperty(value, HOME, { value: home, configurable: true });
  return value as Threadable<T>;
}
