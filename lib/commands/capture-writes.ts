/**
 * Redirects all writes to a stream of the process. Otherwise the output of a task would break the live frame, or mix
 * with the lines of `--json`.
 *
 * Guarantees: no output is lost, lines stay whole and in order, and `release` leaves the stream as it was.
 */

/** The part of `process.stdout` and `process.stderr` that is used. */
export type Writable = Pick<NodeJS.WriteStream, 'write'>;

export interface CapturedWrites {
  /** Writes to the stream itself. */
  write(text: string): void;
  /** Passes on the last, unfinished line and restores the stream. */
  release(): void;
}

/** `onLines` is called with whole lines, each with its line end. */
export function captureWrites(stream: Writable, onLines: (lines: string) => void): CapturedWrites {
  const original = stream.write;
  const decoder = new TextDecoder();
  let unfinished = '';
  const captured = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    unfinished += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const end = unfinished.lastIndexOf('\n') + 1;
    const lines = unfinished.slice(0, end);
    unfinished = unfinished.slice(end);
    if (lines !== '') onLines(lines);
    const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
    if (done !== undefined) queueMicrotask(done);
    return true;
  };
  stream.write = captured;
  return {
    write: (text) => {
      original.call(stream, text);
    },
    release: () => {
      if (stream.write === captured) stream.write = original;
      if (unfinished !== '') onLines(`${unfinished}\n`);
      unfinished = '';
    },
  };
}
