/** A chart of lines over time, with its figures as a table beside it. */
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
  /** Of the values. */
  readonly unit: string;
  readonly lengthMs: number;
  /** Up to five: the colours there are. */
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

/** Seconds below a picture; `x` gives the column of a time in milliseconds. */
export function timeAxis(lengthMs: number, x: (ms: number) => number, y: number): Html[] {
  const stepMs = niceAbove(Math.max(1, lengthMs) / 8);
  const marks = Array.from({ length: Math.floor(lengthMs / stepMs) + 1 }, (_, index) => index * stepMs);
  return marks.map(
    (ms) => html`<text class="quiet" x="${x(ms)}" y="${y}" text-anchor="middle">${figure(ms / 1000)} s</text>`,
  );
}

/** 1, 2 or 5 times a power of ten, not below the value. */
export function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10) * power;
}

function pathOf(points: Series['points'], x: (ms: number) => number, y: (value: number) => number): string {
  let isDown = false;
  return points
    .map(([ms, value]) => {
      if (value === undefined) {
        isDown = false;
        return '';
      }
      const step = `${isDown ? 'L' : 'M'}${x(ms).toFixed(1)} ${y(value).toFixed(1)}`;
      isDown = true;
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
