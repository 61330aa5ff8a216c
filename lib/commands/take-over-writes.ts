/**
 * Takes over what everybody else writes on a stream of the process: a task that prints would otherwise tear the live frame,
 * or stand between the lines of `--json`. Promise: nothing written is lost, lines stay whole and in order, and `release`
 * leaves the stream as it was.
 */

/** What is used of `process.stdout` and `process.stderr`. */
export type Writable = Pick<NodeJS.WriteStream, 'write'>;

export interface TakenOver {
  /** Writes past the take-over. */
  write(text: string): void;
  /** Hands over the last, unfinished line and gives the stream back. */
  release(): void;
}

/** `take` gets whole lines, each with its line end. */
export function takeOverWrites(stream: Writable, take: (lines: string) => void): TakenOver {
  const original = stream.write;
  const decoder = new TextDecoder();
  let unfinished = '';
  const taken = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    unfinished += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const end = unfinished.lastIndexOf('\n') + 1;
    const lines = unfinished.slice(0, end);
    unfinished = unfinished.slice(end);
    if (lines !== '') take(lines);
    const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
    if (done !== undefined) queueMicrotask(done);
    return true;
  };
  stream.write = taken;
  return {
    write: (text) => {
      original.call(stream, text);
    },
    release: () => {
      if (stream.write === taken) stream.write = original;
      if (unfinished !== '') take(`${unfinished}\n`);
      unfinished = '';
    },
  };
}
