/** The charts of the benchmark: what a reader of the file finds in it. */
import { describe, expect, it } from '@jest/globals';
import { memoryChart, rateChart } from '#bench/curve-charts.js';
import { ratioChart } from '#bench/ratio-chart.js';
import type { ReportRow } from '#bench/report.js';

const point = (side: string, records: number, rate: number) => ({
  side,
  records,
  rate,
  spread: [rate, rate] as const,
  samples: 3,
  peakMiB: 100 + records / 1e5,
});
const curve = {
  name: 'a-curve',
  description: 'ours <and> theirs',
  points: [point('ours', 1e4, 2e5), point('theirs', 1e4, 1e5), point('ours', 1e6, 2e5), point('theirs', 1e6, 1e3)],
};
/** The corners of all lines, in order of drawing: ours last. */
const corners = (svg: string): number[][][] =>
  [...svg.matchAll(/<path d="M([\d. L-]+)" fill="none"/g)].map(([, path]) =>
    (path as string).split('L').map((corner) => corner.split(' ').map(Number)),
  );

describe('the chart of a curve', () => {
  it('draws each side over logarithmic axes, ours on top', () => {
    const [theirs, ours] = corners(rateChart(curve)) as [number[][], number[][]];
    expect(ours[0]?.[1]).toBe(ours[1]?.[1]);
    // Two powers of ten to the right, and two down.
    const [[fromX, fromY], [toX, toY]] = theirs as [[number, number], [number, number]];
    expect(toX).toBeGreaterThan(fromX);
    expect(toY).toBeGreaterThan(fromY);
    expect(fromX).toBe(ours[0]?.[0]);
  });

  it('escapes its words and names every side', () => {
    const svg = rateChart(curve);
    expect(svg).toContain('ours &lt;and> theirs');
    expect(svg).toMatch(/>theirs<\/text>/);
  });

  it('shows memory apart', () => {
    expect(memoryChart(curve)).toContain('peak MiB');
  });

  it('draws values that are all the same', () => {
    expect(rateChart({ ...curve, points: [point('ours', 1e4, 1e5)] })).not.toContain('NaN');
  });
});

describe('the chart of all cases', () => {
  const row: ReportRow = {
    name: 'a-vs-b',
    value: 2,
    unit: 'records/s',
    against: 'b',
    againstValue: 1,
    ratio: 2,
    goal: 1.5,
    goalOn: 'ratio',
    goalIs: 'at least',
    met: true,
    spread: { value: [2, 2], against: [1, 1], ratio: [1.8, 2.2] },
    samples: { value: 3, against: 3 },
    isQuick: false,
  };

  it('has a line a case with its ratio and goal, and leaves out what is no ratio', () => {
    const svg = ratioChart([row, { ...row, name: 'seconds', goalOn: 'value' }]);
    expect(svg).toContain('a-vs-b');
    expect(svg).toContain('2 ×, goal ≥ 1.5');
    expect(svg).not.toContain('seconds');
  });

  it('shows a missed goal in another colour', () => {
    const colours = (met: boolean): string[] =>
      [...ratioChart([{ ...row, met }]).matchAll(/circle.*?fill="(#\w+)"/g)].map(([, c]) => c as string);
    expect(colours(true)).not.toEqual(colours(false));
  });

  it('has an axis as long as its longest line', () => {
    const long = ratioChart([row, { ...row, ratio: 210, spread: { ...row.spread, ratio: [150, 400] } }]);
    expect(long).toContain('>500 ×<');
    expect(ratioChart([row])).not.toContain('>500 ×<');
  });
});
