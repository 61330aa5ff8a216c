/**
 * Functions and aggregates that carry their module and export name, so that a thread can import them too. They stay
 * callable, importable and testable without a thread.
 *
 * Guarantees: tagging changes nothing but one symbol property.
 */
import { MillraceError, describeValue } from '../model/errors.js';
import type { ModuleRef } from './executor.js';
import type { ThreadContext } from './thread-context.js';
import { callback, checkOptions, type OptionRules } from '../options/options.js';

/** A registered symbol, so that two copies of the package in one process recognise each other's tags. */
const HOME = Symbol.for('millrace.home');

/** Registered symbols, so that two copies of the package in one thread agree on both. */
export const LOADING = Symbol.for('millrace.loading');
const TAGGED = Symbol.for('millrace.tagged');

/** The tagged exports of all modules, by module and name, so that they are known before their module has finished. */
const tagged = sharedMap();

/** The tagged export of a module; undefined if there is none. */
export function taggedExport({ module, export: name }: ModuleRef): unknown {
  return tagged.get(`${module} ${name}`);
}

/** A worker thread while it loads modules; see `thread-loading.ts`. */
export interface LoadingThread {
  /** Ends the loading of modules that have reached a run. Throws if one of them lacks an export that is needed. */
  stopAtRun(): void;
  /** The export that a reference names. */
  load(ref: ModuleRef): Promise<unknown>;
}

/** The loading of this thread; undefined outside of worker threads of millrace. */
export function loadingThread(): LoadingThread | undefined {
  return (globalThis as { readonly [LOADING]?: LoadingThread })[LOADING];
}

/**
 * Whether this is a worker thread of millrace, in which no run may start: it loads the module of the run only for a
 * function. Throws MILLRACE_INVALID_OPTION if the module has not defined that function yet.
 */
export function mayNotRun(): boolean {
  const loading = loadingThread();
  loading?.stopAtRun();
  return loading !== undefined;
}

/**
 * The content of a tag: the export that holds the value, and the parts of its outputs that are moved instead of copied.
 */
export interface Home {
  readonly ref: ModuleRef;
  readonly transfer?: ((output: never) => readonly object[]) | undefined;
}

/** A value that threads can import, because it carries its module and export name. */
export type Threadable<T> = T & { readonly [HOME]: Home };

/** Options of `threadFunction`. */
export interface ThreadFunctionOptions<Out> {
  /**
   * The parts of an output that are moved out of the thread instead of copied, e.g. `({ pixels }) => [pixels.buffer]`.
   */
  readonly transfer?: (output: Out) => readonly object[];
}

const RULES: OptionRules<ThreadFunctionOptions<never>> = { transfer: callback };

/**
 * Tags a pure function of one record. The module that calls this with its `import.meta.url` must export the function
 * under `name`. Throws MILLRACE_INVALID_OPTION if the module is not a URL, the name is empty, or an option does not
 * fit.
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
 * Tags a function or aggregate that is made from settings. A call here returns the result of `make`. A thread calls the
 * export with the same settings, once per thread; they must survive structured cloning. The call with settings throws
 * MILLRACE_INVALID_OPTION if the module is not a URL or the name is empty.
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
  const factory = (args: Args): Threadable<T> => tag(make(args), { ref: { ...refOf(moduleUrl, name), args } });
  tagged.set(`${moduleUrl} ${name}`, factory);
  return factory;
}

/**
 * Tags an aggregate. The module that calls this with its `import.meta.url` must export it under `name`. Throws
 * MILLRACE_INVALID_OPTION if the module is not a URL or the name is empty.
 *
 * @example
 * export const total = threadAggregate(import.meta.url, 'total', {
 *   key: (sale: Sale) => sale.shop, init: () => 0, add: (sum, sale) => sum + sale.amount,
 *   merge: (left, right) => left + right, finish: (sum, shop) => ({ shop, sum }) })
 */
export function threadAggregate<T extends object>(moduleUrl: string, name: string, aggregate: T): Threadable<T> {
  return tag(aggregate, { ref: refOf(moduleUrl, name) });
}

/** A `Stateful` whose `step` can be called in a thread. */
export interface ThreadStateful<In, Key, State, Out> {
  /** As in a `Stateful`. Also called in the thread of the run. */
  readonly key?: (record: In) => Key;
  /** As in a `Stateful`. */
  readonly init: (key: Key) => State;
  /** As in a `Stateful`, with the context of a thread. */
  readonly step: (state: State, record: In, context: ThreadContext) => readonly [state: State, output: Out];
}

/**
 * Tags the functions of a stateful task. The module that calls this with its `import.meta.url` must export them under
 * `name`. Throws MILLRACE_INVALID_OPTION if the module is not a URL or the name is empty.
 *
 * @example
 * export const totals = threadStateful(import.meta.url, 'totals', {
 *   key: (sale: Sale) => sale.member, init: () => 0,
 *   step: (total: number, sale) => [total + sale.amount, total + sale.amount] })
 */
export function threadStateful<In, State, Out, Key = undefined>(
  moduleUrl: string,
  name: string,
  stateful: ThreadStateful<In, Key, State, Out>,
): Threadable<ThreadStateful<In, Key, State, Out>> {
  return tag(stateful, { ref: refOf(moduleUrl, name) });
}

/**
 * Tags a schema, so that threads can validate with it too. The module that calls this with its `import.meta.url` must
 * export it under `name`. Throws MILLRACE_INVALID_OPTION if the module is not a URL or the name is empty.
 *
 * @example
 * export const Row = threadSchema(import.meta.url, 'Row', z.object({ id: z.string(), amount: z.coerce.number() }))
 */
export function threadSchema<T extends object>(moduleUrl: string, name: string, schema: T): Threadable<T> {
  return tag(schema, { ref: refOf(moduleUrl, name) });
}

/** The tag of a value; undefined for a value without one. */
export function homeOf(value: unknown): Home | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !(HOME in value))
    return undefined;
  return value[HOME] as Home;
}

/** A checked reference. Throws MILLRACE_INVALID_OPTION. */
function refOf(module: URL | string, name: string): ModuleRef {
  const url = String(module);
  // A relative path would be resolved beside the entry of the thread, which is never intended.
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
 * The reference of a tagged value, or of a module URL with the name of an export. Throws MILLRACE_INVALID_OPTION.
 * @param user the operator that needs the reference, with an article, for the message.
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
    `Expected the work of ${user} to carry the module it is exported from, got ${describeValue(given)}. Wrap it: export const work = threadFunction(import.meta.url, 'work', …)`,
  );
}

function tag<T extends object>(value: T, home: Home): Threadable<T> {
  Object.defineProperty(value, HOME, { value: home, configurable: true });
  if (!('args' in home.ref)) tagged.set(`${home.ref.module} ${home.ref.export}`, value);
  return value as Threadable<T>;
}

function sharedMap(): Map<string, unknown> {
  if (!(TAGGED in globalThis)) Object.defineProperty(globalThis, TAGGED, { value: new Map<string, unknown>() });
  return (globalThis as unknown as { readonly [TAGGED]: Map<string, unknown> })[TAGGED];
}
