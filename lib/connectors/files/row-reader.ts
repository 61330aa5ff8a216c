/**
 * The interface between a format of files and a source of files: rows that are pulled, with places to continue from.
 */
import type { Json } from '../../connect/index.js';

/**
 * A place in a file from which its rows can be read again. Plain data; a format adds the data that it needs to continue
 * there.
 */
export interface RowPoint {
  readonly [key: string]: Json;
  /** The number of rows before it. */
  readonly rows: number;
  /** The offset in the file, in bytes. */
  readonly start: number;
  /** The line of the file, from 1. */
  readonly line: number;
}

/** Reads the rows of one open file. Contract: at most one `read` or `isAtEnd` is outstanding. */
export interface RowReader<Item> {
  /**
   * Returns 1 to `max` rows, or null at the end and after `close`. After an error every read rejects with that error.
   */
  read(max: number): Promise<readonly Item[] | null>;
  /**
   * Whether there are no more rows. Reads one block ahead if that is not known. An error is kept for the next `read`.
   */
  isAtEnd(): Promise<boolean>;
  /**
   * A place from which the row with this number can be read again: at the row or shortly before it. Undefined if the
   * file can only be read from its beginning. The number must not decrease from call to call.
   */
  pointBefore(row: number): RowPoint | undefined;
  /** The number of bytes of the file before the current position; undefined if it is unknown (.gz, UTF-16). */
  readonly bytesBefore: number | undefined;
  /** Releases the file. May be called at any time and more than once. */
  close(): Promise<void>;
}
