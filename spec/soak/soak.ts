/**
 * A long run that must not grow: a diamond with a retry-free failure in a hundred, dead letters and checkpoints in
 * files. Needs `--expose-gc`: what is measured is the heap after a full collection.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncTask, defineWorkflow, sinkTask, sourceTask, syncTask } from 'millrace';
import { checkpointFile, deadLetterFile } from 'millrace/storage';

export interface SoakFigures {
  readonly records: number;
  readonly written: number;
  readonly deadLettered: number;
  /**
   * Growth of the heap after collection, by least squares over the last 90 % of the records, in MiB a million records.
   */
  readonly slopeMiB: number;
  /** The largest resident set after the first 10 %, over that at 10 %. */
  readonly rssRatio: number;
  readonly recordsPerSecond: number;
}

/** How often the heap is looked at. */
const LOOKS = 50;
const MIB = 1024 * 1024;

export async function soak(records: number): Promise<SoakFigures> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('Expected node to be started with --expose-gc');
  const folder = mkdtempSync(join(tmpdir(), 'millrace-soak-'));
  const looks: { at: number; heap: number; rss: number }[] = [];
  let written = 0;
  const every = Math.ceil(records / LOOKS);
  const look = (): void => {
    gc();
    const { heapUsed, rss } = process.memoryUsage();
    looks.push({ at: written, heap: heapUsed / MIB, rss: rss / MIB });
  };
  const flow = defineWorkflow({
    name: 'Soak',
    build: (builder) =>
      builder
        .task(
          'Numbers',
          sourceTask(() => numbers(records)),
        )
        .task(
          'Left',
          ['Numbers'],
          asyncTask(({ n }: Numbered) => Promise.resolve({ n, text: `left ${n}` })),
        )
        .task(
          'Right',
          ['Numbers'],
          syncTask(({ n }: Numbered) => {
            if (n % 100 === 99) throw new Error('one of a hundred');
            return { n, square: n * n };
          }),
        )
        .task(
          'Both',
          ['Left', 'Right'],
          syncTask(([left, right]) => ({ ...left, ...right })),
        )
        .task(
          'Out',
          ['Both'],
          sinkTask({
            write: (rows: readonly object[]) => {
              for (let i = 0; i < rows.length; i++) if (++written % every === 0) look();
            },
          }),
        ),
  });
  const startedAt = performance.now();
  try {
    const { tasks, deadLettered } = await flow.run(undefined, {
      checkpoints: checkpointFile(join(folder, 'checkpoint.json')),
      deadLetters: deadLetterFile(join(folder, 'dead-letters.ndjson')),
    }).finished;
    const first = looks.filter(({ at }) => at <= records / 10).at(-1) ?? looks[0];
    const rest = looks.filter(({ at }) => at > records / 10);
    return {
      records,
      written: tasks['Out']?.out ?? 0,
      deadLettered,
      slopeMiB: slopeOf(rest.map(({ at, heap }) => [at / 1e6, heap])),
      rssRatio: Math.max(...rest.map(({ rss }) => rss)) / (first?.rss ?? NaN),
      recordsPerSecond: (records / (performance.now() - startedAt)) * 1000,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Numbered {
  readonly n: number;
}

function* numbers(count: number): Generator<Numbered> {
  for (let n = 0; n < count; n++) yield { n };
}

/** Of the line with the least sum of squared distances. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (pick: 0 | 1): number => points.reduce((sum, point) => sum + point[pick], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0);
  const under = points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
  return over / under;
}
