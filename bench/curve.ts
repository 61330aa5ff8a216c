/**
 * Measures how the rate and the peak memory change with the length of the input: several sides at several sizes.
 *
 * Guarantees: as in a comparison, every side has a process of its own, and a new one per size, because a process never
 * resets its peak; all sides warm up; samples alternate; sides that do the same work must have the same checksum.
 */
import type { BenchSettings } from './case.js';
import { SideProcess, type Sample } from './side-process.js';
import type { SideName } from './sides.js';
import { median, spreadOf, type Spread } from './statistics.js';

export interface CurveSide {
  readonly side: SideName;
  /** The name of the side in charts. */
  readonly title: string;
  /** The longest input for this side. Default: all sizes. */
  readonly upTo?: number;
}

export interface Curve {
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** The sides, ours first. */
  readonly sides: readonly CurveSide[];
  /** The lengths of the input, in records. */
  readonly sizes: readonly number[];
  /**
   * True if the warm-up must process as many records as a sample, because it writes the file that both read. Default:
   * at most 50,000.
   */
  readonly warmsUpInFull?: boolean;
}

/** One side at one size. */
export interface CurvePoint {
  readonly side: string;
  readonly records: number;
  /** The median rate, in records per second. */
  readonly rate: number;
  readonly spread: Spread;
  readonly samples: number;
  /** The peak memory of the process of the side, in MiB. */
  readonly peakMiB: number;
}

/** A curve in the JSON file. */
export interface CurveFinding {
  readonly name: string;
  readonly description: string;
  readonly points: readonly CurvePoint[];
}

const ROUNDS = 3;
/** If one sample takes longer than this, its noise is small and the other samples are omitted. */
const LONG_SAMPLE_MS = 15_000;
const MOST_WARM_UP = 50_000;

/** Measures a curve. Quick: the smallest two sizes, one sample each. */
export async function measureCurve(curve: Curve, settings: BenchSettings): Promise<CurveFinding> {
  const { name, description, sides, sizes, warmsUpInFull = false } = curve;
  const points: CurvePoint[] = [];
  for (const records of settings.isQuick ? sizes.slice(0, 2) : sizes) {
    const able = sides.filter(({ upTo = Infinity }) => records <= upTo);
    const samples = await samplesOf(able, records, warmsUpInFull ? records : Math.min(records, MOST_WARM_UP), settings);
    for (const { title } of able) points.push(pointOf(title, records, samples.get(title) ?? []));
  }
  return { name, description, points };
}

async function samplesOf(
  sides: readonly CurveSide[],
  records: number,
  warmUpRecords: number,
  settings: BenchSettings,
): Promise<ReadonlyMap<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(sides.map(({ title }) => [title, []]));
  const processes = new Map(sides.map(({ side, title }) => [title, new SideProcess(side)]));
  try {
    for (const [title, process] of processes) {
      settings.progress(`${title}: warms up for ${records} records`);
      await process.run(warmUpRecords);
    }
    for (let round = 1; round <= (settings.isQuick ? 1 : ROUNDS); round++) {
      for (const [title, process] of processes) {
        const taken = samples.get(title) as Sample[];
        if ((taken[0]?.elapsedMs ?? 0) > LONG_SAMPLE_MS) continue;
        settings.progress(`${title}: sample ${round}, ${records} records`);
        taken.push(await process.run(records));
      }
    }
  } finally {
    await Promise.all([...processes.values()].map((process) => process.close()));
  }
  checkAgreement(samples, records);
  return samples;
}

function pointOf(side: string, records: number, samples: readonly Sample[]): CurvePoint {
  const rates = samples.map(({ elapsedMs }) => (records / elapsedMs) * 1000);
  const peakMiB = Math.max(...samples.map(({ maxRssKb }) => maxRssKb)) / 1024;
  return { side, records, rate: median(rates), spread: spreadOf(rates), samples: samples.length, peakMiB };
}

function checkAgreement(samples: ReadonlyMap<string, readonly Sample[]>, records: number): void {
  const checksums = new Set([...samples.values()].flat().map(({ checksum }) => checksum));
  if (checksums.size <= 1) return;
  throw new Error(`The sides did not come to the same result at ${records} records: ${[...checksums].join(', ')}`);
}
