/**
 * Detects that an input changed while it was read.
 *
 * Guarantees: it is an error if another program cut, extended, rewrote, replaced or removed the file between its
 * opening and the end of its reading. So no run completes with rows of two versions. Anything but a regular file (a
 * pipe, a terminal) is not compared.
 */
import { stat, type FileHandle } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';

/** Plain data, which threads may receive: the file and its version. */
export interface InputVersion {
  /** The device and the inode. */
  readonly file: string;
  /** In bytes. */
  readonly size: number;
  /** The time of the last change, in nanoseconds since 1970. */
  readonly changedAt: string;
}

/** The version of an open input, to compare with at its end. */
export class InputFacts {
  /** The path of the input. */
  readonly path: string;
  /** Undefined for anything but a regular file. */
  readonly version: InputVersion | undefined;

  private constructor(path: string, version: InputVersion | undefined) {
    this.path = path;
    this.version = version;
  }

  /**
   * The facts of an open file. `before` is the version that an earlier reading of the same input had. Throws
   * MILLRACE_FILE if the file now has another version.
   */
  static async of(path: string, handle: FileHandle, before?: InputVersion): Promise<InputFacts> {
    const now = versionOf(await handle.stat({ bigint: true }));
    const facts = new InputFacts(path, before ?? now);
    if (before !== undefined) facts.compare(now);
    return facts;
  }

  /** Throws MILLRACE_FILE if the open file, or the file at the path, has changed. */
  async assertUnchanged(handle: FileHandle): Promise<void> {
    if (this.version === undefined) return;
    this.compare(versionOf(await handle.stat({ bigint: true })));
    const there = await stat(this.path, { bigint: true }).catch(() => undefined);
    if (there === undefined) throw this.changed('it was removed');
    this.compare(versionOf(there));
  }

  /** Throws MILLRACE_FILE if fewer or more bytes were read than the file had. */
  assertRead(bytes: number): void {
    const { version } = this;
    if (version !== undefined && bytes !== version.size) {
      throw this.changed(`it had ${version.size} bytes, and ${bytes} were read`);
    }
  }

  private compare(now: InputVersion | undefined): void {
    const { version } = this;
    if (version === undefined) return;
    if (now?.file !== version.file) throw this.changed('another file took its place');
    if (now.size !== version.size) throw this.changed(`it had ${version.size} bytes, and now has ${now.size}`);
    if (now.changedAt !== version.changedAt) throw this.changed('it was written to');
  }

  private changed(how: string): MillraceError {
    return new MillraceError(
      'MILLRACE_FILE',
      `${this.path} changed while it was read: ${how}. Its rows may be of two versions. ` +
        'Run again when no program writes to it, or read a copy',
    );
  }
}

function versionOf(facts: {
  isFile(): boolean;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}): InputVersion | undefined {
  if (!facts.isFile()) return undefined;
  return { file: `${facts.dev}:${facts.ino}`, size: Number(facts.size), changedAt: String(facts.mtimeNs) };
}
