/**
 * Compares two sides.
 *
 * Guarantees: both sides warm up; samples alternate (A B A B …), so that a change of the machine's speed affects both;
 * each side has a process of its own; sides that do the same work must have the same checksum, so that no side is fast
 * because it does less.
 */
import type { BenchSettings, Finding } from './case.js';
import { SideProcess, type Sample } from './side-process.js';
import type { SideName } from './sides.js';
import { median, pairedRatioOf, ratioOf, ratioSpread, spreadOf } from './statistics.js';

export interface SidePlan {
  readonly side: SideName;
  /** The name of the side in reports. */
  readonly title: string;
  readonly records: number;
  /** The records of the untimed run before the samples. */
  readonly warmUpRecords: number;
}

export interface ComparisonPlan {
  readonly ours: SidePlan;
  readonly theirs: SidePlan;
  /** The number of samples of our side. */
  readonly rounds: number;
  /** The number of samples of the peer, for peers that are too slow for as many. Default `rounds`. */
  readonly theirRounds?: number;
  /**
   * Every sample has a new process with its own warm-up. Needed for peaks, which a process never resets. Default false.
   */
  readonly isFresh?: boolean;
}

/** The samples of both sides, in the order they were taken. */
export interface Comparison {
  readonly ours: readonly Sample[];
  readonly theirs: readonly Sample[];
}

/** The default number of rounds of a case. */
export function roundsOf({ isQuick }: BenchSettings): number {
  return isQuick ? 2 : 5;
}

/** Takes samples of both sides in turn. */
export async function compare(plan: ComparisonPlan, settings: BenchSettings): Promise<Comparison> {
  const { rounds, theirRounds = rounds, isFresh = false } = plan;
  const samples = { ours: [] as Sample[], theirs: [] as Sample[] };
  const ours = new Sampler(plan.ours, isFresh, settings);
  const theirs = new Sampler(plan.theirs, isFresh, settings);
  try {
    for (let round = 0; round < Math.max(rounds, theirRounds); round++) {
      if (round < rounds) samples.ours.push(await ours.measure());
      if (round < theirRounds) samples.theirs.push(await theirs.measure());
    }
  } finally {
    await Promise.all([ours.close(), theirs.close()]);
  }
  if (plan.ours.records === plan.theirs.records) checkAgreement(samples, plan);
  return samples;
}

/** Records per second of each sample. */
export function ratesOf(samples: readonly Sample[], records: number): number[] {
  return samples.map(({ elapsedMs }) => (records / elapsedMs) * 1000);
}

export interface FindingWords {
  readonly unit: string;
  readonly against: string;
  readonly note?: string;
  /** The ratio is the median of the ratios of the rounds. For goals near 1. Default false: the ratio of the medians. */
  readonly isPaired?: boolean;
}

/** The finding from samples that already have one unit. */
export function findingOf(
  ours: readonly number[],
  theirs: readonly number[],
  { isPaired = false, ...words }: FindingWords,
): Finding {
  return {
    value: median(ours),
    againstValue: median(theirs),
    ratio: isPaired ? pairedRatioOf(ours, theirs) : ratioOf(ours, theirs),
    spread: { value: spreadOf(ours), against: spreadOf(theirs), ratio: ratioSpread(ours, theirs) },
    samples: { value: ours.length, against: theirs.length },
    ...words,
  };
}

/** Compares two sides by records per second. */
export async function compareRates(
  plan: ComparisonPlan,
  settings: BenchSettings,
  words: Pick<FindingWords, 'note' | 'isPaired'> = {},
): Promise<Finding> {
  const { ours, theirs } = await compare(plan, settings);
  return findingOf(ratesOf(ours, plan.ours.records), ratesOf(theirs, plan.theirs.records), {
    unit: 'records/s',
    against: plan.theirs.title,
    ...words,
  });
}

/** Compares two sides by the time on a processor per record, of all threads of a side. */
export async function compareCpu(plan: ComparisonPlan, settings: BenchSettings): Promise<Finding> {
  const { ours, theirs } = await compare(plan, settings);
  const costs = (samples: readonly Sample[], { records }: SidePlan): number[] =>
    samples.map(({ cpuMs }) => (cpuMs / records) * 1000);
  return findingOf(costs(ours, plan.ours), costs(theirs, plan.theirs), {
    unit: 'µs of CPU per record',
    against: plan.theirs.title,
  });
}

/** One side, sampled in one warm process or in a new process per sample. */
class Sampler {
  private readonly plan: SidePlan;
  private readonly isFresh: boolean;
  private readonly settings: BenchSettings;
  private process: SideProcess | undefined;
  private taken = 0;

  constructor(plan: SidePlan, isFresh: boolean, settings: BenchSettings) {
    this.plan = plan;
    this.isFresh = isFresh;
    this.settings = settings;
  }

  async measure(): Promise<Sample> {
    const { title, records, side, warmUpRecords } = this.plan;
    if (this.process === undefined) {
      this.process = new SideProcess(side);
      this.settings.progress(`${title}: warms up with ${warmUpRecords} records`);
      await this.process.run(warmUpRecords);
    }
    this.settings.progress(`${title}: sample ${++this.taken}, ${records} records`);
    const sample = await this.process.run(records);
    if (this.isFresh) await this.close();
    return sample;
  }

  async close(): Promise<void> {
    const { process } = this;
    this.process = undefined;
    await process?.close();
  }
}

function checkAgreement({ ours, theirs }: Comparison, plan: ComparisonPlan): void {
  const checksums = new Set([...ours, ...theirs].map(({ checksum }) => checksum));
  if (checksums.size <= 1) return;
  throw new Error(
    `'${plan.ours.title}' and '${plan.theirs.title}' did not come to the same result: checksums ${[...checksums].join(', ')}`,
  );
}
