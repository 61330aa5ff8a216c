/** Functions that do to a thread what a thread should survive. */
import { threadFunction } from '#lib/execution/thread-function.js';

export const exitWithThreeOn = threadFunction(import.meta.url, 'exitWithThreeOn', (n: number): number => {
  if (n === 13) process.exit(3);
  return n;
});

/** Throws when the record is long finished. */
export const throwLaterOn = threadFunction(import.meta.url, 'throwLaterOn', (n: number): number => {
  if (n === 13) {
    setImmediate(() => {
      throw new RangeError('later');
    });
  }
  return n;
});

export const brighten = threadFunction(
  import.meta.url,
  'brighten',
  (pixels: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => pixels.map((value) => value + 1),
  { transfer: ({ buffer }) => [buffer] },
);

export const exitOnThirteenBytes = threadFunction(
  import.meta.url,
  'exitOnThirteenBytes',
  (bytes: Uint8Array): number => {
    if (bytes[0] === 13) process.exit(0);
    return bytes[0] ?? -1;
  },
);

let previous: Uint8Array<ArrayBuffer> | undefined;

/** Gives bytes, the first of which shows whether those of the call before are gone from this thread. */
export function bytesOf(n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array([previous?.length === 0 ? 1 : 0, n]);
  previous = bytes;
  return bytes;
}
export const buffersOf = ({ buffer }: Uint8Array): readonly object[] => [buffer];
