/** An axis of time: places of moments, and its marks at round times. */
import type { JSX } from 'preact';
import { formatter, localOf } from '../zone.js';

const SECOND = 1000;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
const MOST_MARKS = 9;
const SECONDS = { timeStyle: 'medium' } as const;
const DAYS = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' } as const;

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The place of a moment, from `left` on, in pixels. */
export function placeOf({ from, to }: Span, left: number, width: number): (at: number) => number {
  const length = Math.max(1, to - from);
  return (at) => left + ((at - from) / length) * width;
}

/** The moments of a span at which the local time is a multiple of the step. The offset of the zone may change in it. */
function roundTimes({ from, to }: Span, step: number): readonly number[] {
  const offsetAt = (at: number): number => at - localOf(at);
  const first = Math.ceil((from - offsetAt(from)) / step) * step;
  const times = new Set<number>();
  for (let local = first; local <= to - offsetAt(to); local += step) {
    const at = local + offsetAt(local + offsetAt(from));
    if (at >= from && at <= to) times.add(at);
  }
  return [...times];
}

export function TimeAxis(
  props: Span & { readonly left: number; readonly width: number; readonly height: number },
): JSX.Element {
  const { from, to, left, width, height } = props;
  const x = placeOf({ from, to }, left, width);
  const wanted = (to - from) / SECOND / MOST_MARKS;
  const step = (STEPS.find((one) => one >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400) * SECOND;
  const marks = roundTimes({ from, to }, step);
  const words = formatter(to - from > 86_400 * SECOND ? DAYS : SECONDS);
  return (
    <g aria-hidden="true">
      {marks.map((at) => (
        <g key={at}>
          <line class="grid" x1={x(at)} x2={x(at)} y1={0} y2={height - 18} />
          <text class="quiet" x={x(at)} y={height - 4} text-anchor="middle">
            {words.format(at)}
          </text>
        </g>
      ))}
    </g>
  );
}
