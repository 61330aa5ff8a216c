/**
 * All cases in one picture, as an SVG file: each ratio with its spread and its goal.
 *
 * Guarantees: pure.
 */
import type { ReportRow } from './report.js';

const WIDTH = 860;
const [LEFT, RIGHT, TOP, ROW] = [190, 250, 58, 20];
const [MET, MISSED, FREE] = ['#0072b2', '#d55e00', '#6b6b6b'];
const TICKS = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** For cases that compare like with like only: the ratio of a value to that of a bare process has no meaning. */
export function ratioChart(rows: readonly ReportRow[]): string {
  const shown = rows.filter(({ goalOn }) => goalOn !== 'value');
  const height = TOP + shown.length * ROW + 16;
  const highest = Math.max(...shown.map(({ spread }) => spread.ratio[1]));
  // A value outside of the axis is drawn at its end.
  const ticks = TICKS.filter((_, index) => index < 6 || (TICKS[index - 1] as number) < highest);
  const [least, most] = [ticks[0] as number, ticks.at(-1) as number];
  const x = (ratio: number): number => {
    const inside = Math.min(most, Math.max(least, ratio));
    const share = Math.log(inside / least) / Math.log(most / least);
    return Math.round((LEFT + (WIDTH - LEFT - RIGHT) * share) * 10) / 10;
  };
  const grid = ticks.map(
    (tick) =>
      `<path d="M${x(tick)} ${TOP - 10}V${height - 8}" stroke="${tick === 1 ? '#888' : '#e3e3e3'}"/><text x="${x(tick)}" y="${TOP - 16}" text-anchor="middle" fill="#444">${tick} ×</text>`,
  );
  const lines = shown.map(({ name, ratio, spread, goal, goalIs, met, against }, index) => {
    const y = TOP + index * ROW + ROW / 2;
    const colour = met === null ? FREE : met ? MET : MISSED;
    const [from, to] = spread.ratio;
    const mark = goal === null ? '' : `<path d="M${x(goal)} ${y - 7}v14" stroke="#222" stroke-width="2"/>`;
    const words = `${Number(ratio.toPrecision(3))} ×${goal === null ? '' : `, goal ${goalIs === 'at least' ? '≥' : '≤'} ${goal}`}`;
    return `<text x="${LEFT - 10}" y="${y + 4}" text-anchor="end" fill="#222">${name}</text>
<path d="M${x(from)} ${y}H${x(to)}" stroke="${colour}" stroke-width="2" opacity="0.5"/><circle cx="${x(ratio)}" cy="${y}" r="4.5" fill="${colour}"/>${mark}
<text x="${WIDTH - RIGHT + 12}" y="${y + 4}" fill="#444">${words}<title>against ${against.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</title></text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img" aria-label="Every case as a ratio">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="10" y="20" font-size="15" font-weight="bold" fill="#222">Ours over theirs; the bar is the goal, the line the spread</text>
${grid.join('\n')}
${lines.join('\n')}
</svg>
`;
}
