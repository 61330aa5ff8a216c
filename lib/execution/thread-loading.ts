/**
 * Loads exports in a worker thread, also from a module that starts a run at its top level: the script of the program itself,
 * or a bundle of everything.
 *
 * Guarantees: no run starts in a worker thread. A module that reaches its run is loaded so far: the exports that were tagged
 * before are available, and its evaluation waits for the run for ever. A run before the tag of a needed export fails the load.
 */
import { FatalTaskError } from '../model/errors.js';
import type { ModuleRef } from './executor.js';
import { LOADING, loadingThread, taggedExport, type LoadingThread } from './thread-function.js';

/** A module that waits for its run does not finish. An export that it did not tag before is missed after this time. */
const MISSING_MS = 5_000;

/** A module that was tagged and is finished is imported at once. Otherwise it is taken for one that waits for its run. */
const UNFINISHED_MS = 200;

interface Pending {
  readonly ref: ModuleRef;
  readonly resolve: (value: unknown) => void;
}

/** What one worker thread knows about the modules that it loads. */
class ThreadLoading implements LoadingThread {
  private readonly pending = new Set<Pending>();
  /** Modules that have reached a run. */
  private readonly stopped = new Set<string>();

  stopAtRun(): void {
    const missing = [...this.pending].find(({ ref }) => taggedExport(ref) === undefined);
    if (missing !== undefined) throw ranTooEarly(missing.ref);
    for (const { ref, resolve } of this.pending) {
      this.stopped.add(ref.module);
      resolve(taggedExport(ref));
    }
  }

  async load(ref: ModuleRef): Promise<unknown> {
    const known = taggedExport(ref);
    if (known !== undefined && this.stopped.has(ref.module)) return known;
    let timer: NodeJS.Timeout | undefined;
    let waiting: Pending | undefined;
    try {
      return await new Promise((resolve, reject) => {
        waiting = { ref, resolve };
        this.pending.add(waiting);
        importExport(ref).then(resolve, reject);
        if (!this.stopped.has(ref.module)) return;
        timer = setTimeout(() => {
          reject(ranTooEarly(ref));
        }, MISSING_MS);
      });
    } finally {
      clearTimeout(timer);
      this.pending.delete(waiting as Pending);
    }
  }
}

/** Makes this thread one that starts no runs. */
export function loadWithoutRuns(): void {
  if (loadingThread() === undefined) Object.defineProperty(globalThis, LOADING, { value: new ThreadLoading() });
}

/** The export that a reference names, in a worker thread or in the thread of the run; undefined if there is none. */
export function findExport(ref: ModuleRef): Promise<unknown> {
  return loadingThread()?.load(ref) ?? findInline(ref);
}

/** A module that waits for its own run is not finished when the run needs its export, and would wait for ever. */
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

async function importExport(ref: ModuleRef): Promise<unknown> {
  return ((await import(ref.module)) as Record<string, unknown>)[ref.export];
}

function ranTooEarly({ module, export: name }: ModuleRef): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${module} starts a run before it defines '${name}', which a thread needs. Threads load the module too: define '${name}' first, or in a module of its own`,
  );
}
