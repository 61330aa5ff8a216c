/**
 * Loads exports in a worker thread, also from a module that starts a run at its top level: the script of the program
 * itself, or a bundle of everything.
 *
 * Guarantees: no run starts in a worker thread. A module that reaches its run is loaded up to that place: the exports
 * that were tagged before are available, and its evaluation waits for the run for ever. If the run comes before the tag
 * of a needed export, the load fails.
 */
import { FatalTaskError } from '../model/errors.js';
import type { ModuleRef } from './executor.js';
import { importExport } from './load-export.js';
import { LOADING, loadingThread, taggedExport, type LoadingThread } from './thread-function.js';

/** A module that waits for its run never finishes. If it has not tagged the export, the load fails after this time. */
const MISSING_MS = 5_000;

interface Pending {
  readonly ref: ModuleRef;
  readonly resolve: (value: unknown) => void;
}

/** The loading of modules in one worker thread. */
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

/** Prevents runs from starting in this thread. */
export function loadWithoutRuns(): void {
  if (loadingThread() === undefined) Object.defineProperty(globalThis, LOADING, { value: new ThreadLoading() });
}

function ranTooEarly({ module, export: name }: ModuleRef): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${module} starts a run before it defines '${name}', which a thread needs. Threads load the module too: define '${name}' first, or in a module of its own`,
  );
}
