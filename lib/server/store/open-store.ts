/**
 * Opens the store of a server by its place: the path of a file, or the URL of a PostgreSQL database.
 *
 * Guarantees: a file has one server at a time, by a lease. The URL, which may contain a password, appears in no error.
 */
import { dirname } from 'node:path';
import { codeOf, describeThrown, MillraceError } from '../../model/errors.js';
import { claimFile } from '../../storage/file-owner.js';
import type { ServerStore } from './server-store.js';
import { sqliteStore } from './sqlite-store.js';
import { makeFolder } from '../../storage/make-folder.js';

export interface OpenStore {
  readonly store: ServerStore;
  /** Whether several servers may use it. */
  readonly isShared: boolean;
  /** Throws MILLRACE_LOCKED once another server has taken over the file. */
  assertHeld(): void;
  close(): Promise<void>;
}

/** Whether the place of a store is the URL of a database. Throws MILLRACE_USAGE for a URL of another kind. */
export function isDatabase(place: string): boolean {
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place) ?? [];
  if (scheme === undefined) return false;
  if (/^postgres(?:ql)?$/i.test(scheme) && URL.canParse(place)) return true;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected --store to be the path of a file, or a URL such as postgres://user@host:5432/database, got one that begins with '${scheme}://'${URL.canParse(place) ? '' : ' and is no URL'}`,
  );
}

/** @param folder the folder of the workflows, for messages. */
export async function openStore(place: string, folder: string): Promise<OpenStore> {
  if (isDatabase(place)) {
    const { postgresStore } = await import('./postgres-store.js');
    const store = await postgresStore(place);
    return { store, isShared: true, assertHeld: () => undefined, close: () => store.close() };
  }
  makeFolder(dirname(place), 0o700);
  const claim = await claimFile(place).catch((error: unknown) => {
    throw codeOf(error) === 'MILLRACE_LOCKED'
      ? new MillraceError('MILLRACE_LOCKED', `${folder} is served already: ${describeThrown(error)}`, { cause: error })
      : error;
  });
  let store: ServerStore;
  try {
    store = sqliteStore(place);
  } catch (error) {
    await claim();
    throw error;
  }
  const close = async (): Promise<void> => {
    await store.close();
    await claim();
  };
  return {
    store,
    isShared: false,
    assertHeld: () => {
      claim.assertHeld();
    },
    close,
  };
}
