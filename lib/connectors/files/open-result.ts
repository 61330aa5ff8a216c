/** The interface of a result file that is open for writing, on the disk or in a store, and its options. */
import type { Json } from '../../connect/index.js';
import type { FileStore, RowFileKind } from '../../connect/files.js';

export interface ResultFileOptions {
  /**
   * The path of the file, in an existing folder. A `.gz` file is compressed. `finish` replaces an existing result; any
   * other file that would be replaced is refused. A device or a pipe is written to directly.
   */
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore | undefined;
  /** The text at the beginning of a new file. */
  readonly header: string;
  /** The kind of existing files that may be replaced. */
  readonly kind: RowFileKind;
  /** Ends waiting writes with MILLRACE_ABORTED. The file stays until `finish` or `abandon`. */
  readonly signal: AbortSignal | undefined;
  /**
   * Continues at this point, which `persist` has returned, and removes the bytes after it. If the file was renamed at
   * this point, it is complete.
   */
  readonly from: Json | undefined;
}

/** A result file that is open. */
export interface ResultFile {
  /**
   * True if the text goes to a device or a pipe. Such text cannot be removed, so there are no points to continue from.
   */
  readonly isStream: boolean;
  /** The bytes that the system has accepted; for .gz the compressed bytes. */
  readonly bytesWritten: number;
  /** Accepts the texts as soon as there is room for them. When the promise resolves, they are in the file's buffer. */
  put(texts: () => Iterable<string>): void | Promise<void>;
  /**
   * The point after the text accepted so far. Resolves when it would survive a loss of power; for a device or a pipe
   * with undefined, when the system has accepted it.
   */
  persist(): Promise<Json | undefined>;
  /** Makes everything durable and gives the file its name, or fills the existing one. Resolves when both are done. */
  finish(): Promise<void>;
  /** Closes the file, and keeps the data that a later incarnation of the run needs. */
  abandon(): Promise<void>;
}
