/** Workflows: their newest runs and next ticks, and a form to start one. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Workflows as Answer } from '../api.js';
import { relative } from '../format.js';
import { Explanation } from '../parts/explanation.js';
import { useData, useNow } from '../parts/data.js';
import { StartForm } from '../parts/start-form.js';
import { Loading, Notice, RunMarks, State } from '../parts/state.js';
import { Rates } from '../parts/rates.js';

export function Workflows(): JSX.Element {
  const { data, error } = useData<Answer>('/workflows');
  const now = useNow();
  const [open, setOpen] = useState('');
  const [explained, setExplained] = useState('');
  if (data === undefined) return <Loading error={error} />;
  return (
    <>
      <h1>Workflows</h1>
      <Notice error={error} />
      {data.problems.map((problem) => (
        <Notice key={problem} error={problem} />
      ))}
      {data.workflows.length === 0 && (
        <p class="quiet">
          {data.isDescribed ? 'There is no workflow in this folder' : 'The server still reads its workflows…'}
        </p>
      )}
      <ul class="workflows">
        {data.workflows.map((workflow) => {
          const next = Math.min(...workflow.schedules.flatMap(({ next: ticks }) => ticks.slice(0, 1)));
          const last = workflow.recent[0];
          return (
            <li class="card" key={workflow.name}>
              <h2>
                <a href={`#/workflows/${encodeURIComponent(workflow.name)}`}>{workflow.name}</a>
              </h2>
              <p>{workflow.description}</p>
              <RunMarks runs={workflow.recent} />
              <p class="quiet">
                {last === undefined ? 'Never run' : <State state={last.state} />}
                {Number.isFinite(next) ? ` · next tick ${relative(next, now)}` : ' · no future tick'}
              </p>
              <Rates runs={workflow.recent} />
              <button
                type="button"
                aria-expanded={open === workflow.name}
                onClick={() => {
                  setOpen(open === workflow.name ? '' : workflow.name);
                }}
              >
                Start a run…
              </button>{' '}
              <button
                type="button"
                aria-expanded={explained === workflow.name}
                onClick={() => {
                  setExplained(explained === workflow.name ? '' : workflow.name);
                }}
              >
                Explain
              </button>{' '}
              <a href={`#/runs?workflow=${encodeURIComponent(workflow.name)}`}>All its runs</a>
              {explained === workflow.name && (
                <Explanation path={`/workflows/${encodeURIComponent(workflow.name)}/explanation`} />
              )}
              {open === workflow.name && <StartForm workflow={workflow} />}
            </li>
          );
        })}
      </ul>
    </>
  );
}
