/** The two charts of a curve: the rate and the peak memory. */
import type { CurveFinding, CurvePoint } from './curve.js';
import { lineChart } from './line-chart.js';

export function rateChart(finding: CurveFinding): string {
  return chartOf(finding, 'records/s', ({ rate }) => rate);
}

export function memoryChart(finding: CurveFinding): string {
  return chartOf(finding, 'peak MiB', ({ peakMiB }) => peakMiB);
}

function chartOf(
  { description, points }: CurveFinding,
  yTitle: string,
  figureOf: (point: CurvePoint) => number,
): string {
  const sides = [...new Set(points.map(({ side }) => side))];
  return lineChart({
    title: description,
    xTitle: 'records',
    yTitle,
    lines: sides.map((title) => ({
      title,
      points: points.filter(({ side }) => side === title).map((point) => [point.records, figureOf(point)] as const),
    })),
  });
}
