/**
 * A chart of lines over two logarithmic axes, as a self-contained SVG file.
 *
 * Guarantees: pure.
 */

export interface ChartLine {
  readonly title: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** The lines, ours first: it is drawn last, and thicker. */
  readonly lines: readonly ChartLine[];
}

const [WIDTH, HEIGHT] = [760, 360];
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 210, 44, 46];
/** Colours that colour-blind people can distinguish, after M. Okabe and K. Ito, "Color Universal Design" (2008). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#b8860b', '#cc79a7', '#6b6b6b'];
const LABEL_HEIGHT = 16;

export function lineChart({ title, xTitle, yTitle, lines }: LineChart): string {
  const all = lines.flatMap(({ points }) => points);
  const x = scale(
    all.map(([value]) => value),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scale(
    all.map(([, value]) => value),
    HEIGHT - BOTTOM,
    TOP,
  );
  const drawn = lines.map(({ points }, index) => path(points, x.at, y.at, index)).reverse();
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="${escape(title)}">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="22" font-size="15" font-weight="bold" fill="#222">${escape(title)}</text>
${y.ticks.map((tick) => `<path d="M${LEFT} ${y.at(tick)}H${WIDTH - RIGHT}" stroke="#ddd"/><text x="${LEFT - 8}" y="${y.at(tick) + 4}" text-anchor="end" fill="#444">${short(tick)}</text>`).join('\n')}
${x.ticks.map((tick) => `<path d="M${x.at(tick)} ${HEIGHT - BOTTOM}v5" stroke="#888"/><text x="${x.at(tick)}" y="${HEIGHT - BOTTOM + 19}" text-anchor="middle" fill="#444">${short(tick)}</text>`).join('\n')}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#444">${escape(xTitle)}</text>
<text x="${LEFT - 8}" y="${TOP - 8}" text-anchor="end" fill="#444">${escape(yTitle)}</text>
${drawn.join('\n')}
${labels(lines, x.at, y.at)}
</svg>
`;
}

interface Scale {
  readonly at: (value: number) => number;
  /** Powers of ten; if there are few, also their multiples by two and five. */
  readonly ticks: readonly number[];
}

function scale(values: readonly number[], from: number, to: number): Scale {
  const ticksIn = (steps: readonly number[]): number[] => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const all = Array.from({ length: 15 }, (_, power) => steps.map((step) => step * 10 ** (power - 3))).flat();
    const first = all.findLastIndex((tick) => tick <= least);
    const last = all.findIndex((tick) => tick >= most);
    return all.slice(Math.max(0, first), Math.max(first + 1, last) + 1);
  };
  const powers = ticksIn([1]);
  const ticks = powers.length > 3 ? powers : ticksIn([1, 2, 5]);
  const [low, high] = [Math.log(ticks[0] as number), Math.log(ticks.at(-1) as number)];
  const at = (value: number): number => round(from + ((to - from) * (Math.log(value) - low)) / (high - low));
  return { at, ticks };
}

type Place = (value: number) => number;

function path(points: ChartLine['points'], x: Place, y: Place, index: number): string {
  const colour = COLOURS[index % COLOURS.length] as string;
  const corners = points.map(([px, py]) => `${x(px)} ${y(py)}`).join('L');
  const dots = points.map(([px, py]) => `<circle cx="${x(px)}" cy="${y(py)}" r="3" fill="${colour}"/>`).join('');
  return `<path d="M${corners}" fill="none" stroke="${colour}" stroke-width="${index === 0 ? 3 : 1.5}"/>${dots}`;
}

/** The labels beside the ends of the lines, moved apart so that they do not overlap. */
function labels(lines: readonly ChartLine[], x: Place, y: Place): string {
  const ends = lines.map(({ title, points }, index) => {
    const [endX, endY] = points.at(-1) ?? [1, 1];
    return { title, colour: COLOURS[index % COLOURS.length] as string, fromX: x(endX), fromY: y(endY) };
  });
  const left = WIDTH - RIGHT + 22;
  let above = -Infinity;
  return ends
    .sort((a, b) => a.fromY - b.fromY)
    .map(({ title, colour, fromX, fromY }) => {
      const at = Math.max(fromY, above + LABEL_HEIGHT);
      above = at;
      const leader = `<path d="M${fromX + 4} ${fromY}L${left - 4} ${at}" stroke="${colour}" stroke-dasharray="2 2" opacity="0.6"/>`;
      return `${leader}<text x="${left}" y="${at + 4}" fill="${colour}">${escape(title)}</text>`;
    })
    .join('\n');
}

/** 20,000 as 20k. */
function short(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  if (value >= 1000) return `${value / 1000}k`;
  return String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
