/**
 * The interface of a store of files that is not the disk, such as an object store. Connectors of files use it to read
 * and write paths that are URLs.
 *
 * Guarantees: the connectors call no method of an input after its `close`. Every error is one sentence that names the
 * path, the problem and the fix.
 */
import type { Json } from '../model/checkpoint.js';
import type { Awaitable } from '../model/ports.js';

/** A file of a store as it was found. */
export interface StoredFile {
  /** The path as the caller gave it. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** The time of the last change, in milliseconds since 1970. */
  readonly changedAt: number;
  /** A string that is different for each content of the path, such as an entity tag. */
  readonly version: string;
}

/** An entry of a folder of a store. */
export interface StoredEntry {
  /** The name within the folder. */
  readonly name: string;
  /** True for a folder. */
  readonly isFolder: boolean;
  /** The file, if the listing describes it. */
  readonly file?: StoredFile | undefined;
}

/** A file of a store that is open for reading, from some byte on. Contract: one call at a time. */
export interface StoredInput {
  /** The file that is read: all bytes are those of this version. */
  readonly file: StoredFile;
  /** Returns the next bytes, at least one; null at the end. Rejects with MILLRACE_FILE if the file has changed. */
  read(): Promise<Uint8Array | null>;
  /** Releases the file. May be called at any time and more than once. */
  close(): Awaitable<void>;
}

/** A file of a store that is being written. It is visible only once `finish` has resolved. */
export interface StoredOutput {
  /** Accepts bytes. A returned promise resolves when there is room for more. The bytes are not changed afterwards. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /**
   * Returns the point after the bytes so far, as plain data, once they would survive the death of this process. When it
   * is called, only the last of the earlier points is still needed.
   */
  persist(): Promise<Json>;
  /** Makes the file visible under its path. It replaces an existing file. */
  finish(): Promise<void>;
  /**
   * Called instead of `finish`, or after it has failed. If there is a point, keeps the data that a later incarnation of
   * the run needs to continue there; otherwise removes everything.
   */
  abandon(): Promise<void>;
}

/** How a file of a store is opened for reading. */
export interface StoredReading {
  /** The first byte that is read. */
  readonly start: number;
  /** The version that an earlier incarnation read. Any other version fails with MILLRACE_FILE. */
  readonly version?: string | undefined;
  /** Ends the reading. */
  readonly signal?: AbortSignal | undefined;
}

/** How a file of a store is written. */
export interface StoredWriting {
  /** Continues at this point, and drops the bytes after it. MILLRACE_RESUME if that cannot be done. */
  readonly from: Json | undefined;
  /** Ends the writing. */
  readonly signal: AbortSignal | undefined;
}

/** A store of files that are named by URLs. */
export interface FileStore {
  /** Finds a file; undefined if there is none. */
  find(path: string): Promise<StoredFile | undefined>;
  /** Lists the entries of the folder at this path, which ends in `/`; undefined if there is no such folder. */
  list(folder: string): Promise<readonly StoredEntry[] | undefined>;
  /** Opens a file for reading; MILLRACE_FILE if there is none. */
  open(path: string, reading: StoredReading): Promise<StoredInput>;
  /** Throws MILLRACE_FILE if no file can be written to this path. Changes nothing. */
  check(path: string): Promise<void>;
  /** Opens a new file for writing, or continues one. */
  create(path: string, writing: StoredWriting): Promise<StoredOutput>;
  /** Removes a file, if it is there. */
  remove(path: string): Promise<void>;
}
