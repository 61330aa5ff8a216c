/** A chart of lines over time, followed by its figures as a table. */
import { html, type Html } from './html.js';
import { figure } from './in-words.js';
import { table } from './table.js';

export interface Series {
  readonly name: string;
  /** Milliseconds since the start, and the value; undefined leaves a gap. */
  readonly points: readonly (readonly [ms: number, value: number | undefined])[];
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  /** The unit of the values. */
  readonly unit: string;
  readonly lengthMs: number;
  /** At most five, because the style defines five colours. */
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [900, 220];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 12, 10, 26];
const TABLE_ROWS = 40;

export function chart({ id, title, unit, lengthMs, series }: Chart): Html {
  const values = series.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  const top = niceAbove(Math.max(0, ...values));
  const x = (ms: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * ms) / Math.max(1, lengthMs);
  const y = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  const summary = series.map(({ name, points }) => `${name}: up to ${figure(mostOf(points))} ${unit}`).join('; ');
  return html`<ul class="key">
      ${series.map(({ name }, index) => html`<li><span style="background: var(--s${index})"></span>${name}</li>`)}
    </ul>
    <div class="scroll" tabindex="0" role="region" aria-label="${title}, chart">
      <svg style="min-width: 640px" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-t ${id}-d">
        <title id="${id}-t">${title}</title>
        <desc id="${id}-d">${summary}</desc>
        ${[0, 0.5, 1].map(
          (share) =>
            html`<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(top * share)}" y2="${y(top * share)}" />
              <text class="quiet" x="${LEFT - 8}" y="${y(top * share) + 4}" text-anchor="end"
                >${figure(top * share)}</text
              >`,
        )}
        ${timeAxis(lengthMs, x, HEIGHT - 8)}
        ${series.map(
          ({ points }, index) =>
            html`<path class="line" style="stroke: var(--s${index})" d="${pathOf(points, x, y)}" />`,
        )}
      </svg>
    </div>
    <details>
      <summary>${title} as a table</summary>
      ${figures(title, unit, series)}
    </details>`;
}

/** The time axis below a picture, in seconds. `x` maps a time in milliseconds to a horizontal position. */
export function timeAxis(lengthMs: number, x: (ms: number) => number, y: number): Html[] {
  const stepMs = niceAbove(Math.max(1, lengthMs) / 8);
  const times = Array.from({ length: Math.floor(lengthMs / stepMs) + 1 }, (_, index) => index * stepMs);
  return times.map(
    (ms) => html`<text class="quiet" x="${x(ms)}" y="${y}" text-anchor="middle">${figure(ms / 1000)} s</text>`,
  );
}

/** The smallest number at or above the value that is 1, 2 or 5 times a power of ten. */
export function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10) * power;
}

function pathOf(points: Series['points'], x: (ms: number) => number, y: (value: number) => number): string {
  let isPenDown = false;
  return points
    .map(([ms, value]) => {
      if (value === undefined) {
        isPenDown = false;
        return '';
      }
      const step = `${isPenDown ? 'L' : 'M'}${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
      isPenDown = true;
      return step;
    })
    .join('');
}

function figures(title: string, unit: string, series: readonly Series[]): Html {
  const longest = Math.max(0, ...series.map(({ points }) => points.length));
  const every = Math.max(1, Math.ceil(longest / TABLE_ROWS));
  const times = (series[0]?.points ?? []).filter((_, index) => index % every === 0).map(([ms]) => ms);
  const rows = times.map((ms) => ({
    cells: [
      `${figure(ms / 1000)} s`,
      ...series.map(({ points }) => {
        const value = points.find(([at]) => at >= ms)?.[1];
        return value === undefined ? '–' : figure(value);
      }),
    ],
  }));
  const columns = [{ title: 'after' }, ...series.map(({ name }) => ({ title: `${name}, ${unit}`, isNumber: true }))];
  return table(title, columns, rows);
}

function mostOf(points: Series['points']): number {
  return Math.max(0, ...points.map(([, value]) => value ?? 0));
}
