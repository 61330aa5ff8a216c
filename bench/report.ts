/** Renders the findings: lines for people, rows for programs. Guarantees: all functions are pure. */
import { describeGoal, meets, type BenchCase, type Finding } from './case.js';
import type { CurveFinding } from './curve.js';
import type { Spread } from './statistics.js';

/** One case in the JSON file. */
export interface ReportRow {
  readonly name: string;
  /** The median of our side, in `unit`. */
  readonly value: number;
  readonly unit: string;
  /** The name of the peer. */
  readonly against: string;
  /** The median of the peer, in `unit`. */
  readonly againstValue: number;
  /** `value` over `againstValue`. */
  readonly ratio: number;
  /** The figure to reach; null if there is no goal. */
  readonly goal: number | null;
  /** The figure that the goal is about, and the side of it. */
  readonly goalOn: 'ratio' | 'value' | null;
  readonly goalIs: 'at least' | 'at most' | null;
  /** Null if there is no goal, or if the sizes are too small to judge it. */
  readonly met: boolean | null;
  /** The smallest and largest sample; for the ratio, of samples of the same round. */
  readonly spread: Finding['spread'];
  readonly samples: Finding['samples'];
  readonly isQuick: boolean;
}

export function rowOf({ name, goal }: BenchCase, finding: Finding, isQuick: boolean): ReportRow {
  const { value, unit, against, againstValue, ratio, spread, samples } = finding;
  return {
    name,
    value,
    unit,
    against,
    againstValue,
    ratio,
    goal: goal?.than ?? null,
    goalOn: goal?.on ?? null,
    goalIs: goal?.is ?? null,
    met: isQuick ? null : (meets(goal, finding) ?? null),
    spread,
    samples,
    isQuick,
  };
}

/** Two or three lines about one case. */
export function renderFinding(benchCase: BenchCase, finding: Finding, isQuick: boolean): string {
  const { name, goal } = benchCase;
  const { unit, spread, samples } = finding;
  const met = meets(goal, finding);
  const verdict = met === undefined ? '' : isQuick ? ' (not judged: quick)' : met ? ' – met' : ' – missed';
  const headline = `${name}: ${figure(finding.ratio)} × (${range(spread.ratio)}), ${describeGoal(goal)}${verdict}`;
  const ours = `${figure(finding.value)} ${unit} (${range(spread.value)}; ${counted(samples.value)})`;
  const theirs = `${finding.against}: ${figure(finding.againstValue)} ${unit} (${range(spread.against)}; ${counted(samples.against)})`;
  const lines = [headline, `    ours: ${ours}`, `    ${theirs}`];
  if (finding.note !== undefined) lines.push(`    note: ${finding.note}`);
  return lines.join('\n');
}

/** One line per side and size. */
export function renderCurve({ name, description, points }: CurveFinding): string {
  const width = Math.max(...points.map(({ side }) => side.length));
  const lines = points.map(({ side, records, rate, spread, samples, peakMiB }) => {
    const rates = `${figure(rate).padStart(10)} records/s (${range(spread)}; ${counted(samples)})`;
    return `    ${figure(records).padStart(10)}  ${side.padEnd(width)}  ${rates}, peak ${figure(peakMiB)} MiB`;
  });
  return [`${name}: ${description}`, ...lines].join('\n');
}

/** The output of `--list`. */
export function renderList(cases: readonly Pick<BenchCase, 'name' | 'description' | 'goal'>[]): string {
  const width = Math.max(...cases.map(({ name }) => name.length));
  return cases
    .map(({ name, description, goal }) => `${name.padEnd(width)}  ${description} (${describeGoal(goal)})`)
    .join('\n');
}

/** Three significant digits, with a thousands separator: more digits would be noise. */
export function figure(value: number): string {
  if (Math.abs(value) >= 1000) return Number(value.toPrecision(3)).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function range([min, max]: Spread): string {
  return `${figure(min)}–${figure(max)}`;
}

function counted(samples: number): string {
  return `${samples} ${samples === 1 ? 'sample' : 'samples'}`;
}
