/** States of runs, by shape, text and colour. */
import type { JSX } from 'preact';
import type { Run } from '../api.js';

const SHAPES: Readonly<Record<Run['state'], string>> = {
  queued: '◷',
  starting: '◔',
  running: '▶',
  completed: '✓',
  failed: '✕',
  drained: '◧',
  cancelled: '■',
  interrupted: '⚠',
};

export function State({ state }: { readonly state: Run['state'] }): JSX.Element {
  return (
    <span class={`state ${state}`}>
      <span aria-hidden="true">{SHAPES[state]}</span> {state}
    </span>
  );
}

/** The newest runs as marks, oldest first; the height is the duration. */
export function RunMarks({ runs }: { readonly runs: readonly Run[] }): JSX.Element {
  const spans = runs.map(({ startedAt, endedAt }) => (startedAt === null ? 0 : (endedAt ?? Date.now()) - startedAt));
  const longest = Math.max(1, ...spans);
  return (
    <ol class="marks" aria-label="The newest runs, oldest first">
      {runs
        .map((run, index) => {
          const height = 6 + Math.round((18 * (spans[index] ?? 0)) / longest);
          return (
            <li key={run.id}>
              <a href={`#/runs/${run.id}`} aria-label={`Run ${run.id}: ${run.state}`} title={`${run.id}: ${run.state}`}>
                <svg width="8" height="24" aria-hidden="true">
                  <rect class={`mark ${run.state}`} x="0" y={24 - height} width="7" height={height} rx="1" />
                </svg>
              </a>
            </li>
          );
        })
        .reverse()}
    </ol>
  );
}

export function Notice({ error }: { readonly error: string }): JSX.Element | null {
  return error === '' ? null : (
    <p class="error" role="alert">
      {error}
    </p>
  );
}

/** In place of data that has not arrived: the reason, or after a moment that it is on its way. */
export function Loading({ error }: { readonly error: string }): JSX.Element {
  return error === '' ? <p class="quiet loading">Loading…</p> : <Notice error={error} />;
}
