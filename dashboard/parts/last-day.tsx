/** The runs that ended in each of the last 24 hours: one bar per hour, failures at its foot, and below them the totals. */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Overview } from '../api.js';
import { grouped } from '../format.js';
import { formatter, zone } from '../zone.js';
import { State } from './state.js';

/** From the foot of a bar to its top: what needs attention stands at the foot, where it is seen beside zero too. */
const STATES = ['failed', 'interrupted', 'cancelled', 'drained', 'completed'] as const;
const [BAR, GAP, HEIGHT] = [22, 4, 72];
/** A share of a bar is at least this high: one failure among thousands of runs must be seen. */
const LEAST = 3;

export function LastDay({ hours }: { readonly hours: Overview['lastDay'] }): JSX.Element {
  const total = (ended: Overview['lastDay'][number]['ended']): number =>
    STATES.reduce((sum, state) => sum + (ended[state] ?? 0), 0);
  const most = Math.max(0, ...hours.map(({ ended }) => total(ended)));
  const clock = formatter({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const width = hours.length * (BAR + GAP);
  const frame = useRef<HTMLDivElement>(null);
  const isEmpty = most === 0;
  useLayoutEffect(() => {
    // A narrow window shows the newest hours first.
    if (frame.current !== null) frame.current.scrollLeft = width;
  }, [isEmpty, width]);
  if (isEmpty) return <p class="quiet">No run has ended in this time</p>;
  return (
    <>
      <div
        class="scroll"
        tabIndex={0}
        role="region"
        aria-label={`Runs that ended per hour, in ${zone.value}`}
        ref={frame}
      >
        <svg class="day" width={width} height={HEIGHT + 20} role="group" aria-label="One bar per hour">
          {hours.map(({ at, ended }, index) => {
            const parts = STATES.flatMap((state) => (ended[state] ? [`${grouped(ended[state])} ${state}`] : []));
            const label = `${clock.format(at)}: ${parts.length === 0 ? 'none' : parts.join(', ')}`;
            let foot = HEIGHT;
            return (
              <g role="img" aria-label={label} key={at}>
                <title>{label}</title>
                <rect class="hour" x={index * (BAR + GAP)} y={0} width={BAR} height={HEIGHT} />
                {STATES.map((state) => {
                  const count = ended[state] ?? 0;
                  const height = count === 0 ? 0 : Math.max(LEAST, ((HEIGHT - LEAST * STATES.length) * count) / most);
                  foot -= height;
                  return (
                    <rect
                      class={`mark ${state}`}
                      key={state}
                      x={index * (BAR + GAP)}
                      y={foot}
                      width={BAR}
                      height={height}
                    />
                  );
                })}
                {index % 4 === 0 && (
                  <text class="quiet" x={index * (BAR + GAP)} y={HEIGHT + 16}>
                    {clock.format(at)}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      </div>
      <ul class="counts" aria-label="Runs that ended in these hours">
        {STATES.map((state) => [state, hours.reduce((sum, { ended }) => sum + (ended[state] ?? 0), 0)] as const)
          .filter(([, runs]) => runs > 0)
          .map(([state, runs]) => (
            <li key={state}>
              <State state={state} /> {grouped(runs)}
            </li>
          ))}
      </ul>
    </>
  );
}
