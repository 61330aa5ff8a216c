/** Workflows: their newest runs and next ticks, and a form to start one. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, type Run, type Workflow, type Workflows as Answer } from '../api.js';
import { relative } from '../format.js';
import { Explanation } from '../parts/explanation.js';
import { useData, useNow } from '../parts/data.js';
import { Notice, RunMarks, State } from '../parts/state.js';
import { go } from '../router.js';

export function Workflows(): JSX.Element {
  const { data, error } = useData<Answer>('/workflows');
  const now = useNow();
  const [open, setOpen] = useState('');
  const [explained, setExplained] = useState('');
  if (data === undefined) return <Notice error={error} />;
  return (
    <>
      <h1>Workflows</h1>
      <Notice error={error} />
      {data.problems.map((problem) => (
        <Notice key={problem} error={problem} />
      ))}
      {data.workflows.length === 0 && <p class="quiet">There is no workflow in this folder</p>}
      <ul class="workflows">
        {data.workflows.map((workflow) => {
          const next = Math.min(...workflow.schedules.flatMap(({ next: ticks }) => ticks.slice(0, 1)));
          const last = workflow.recent[0];
          return (
            <li class="card" key={workflow.name}>
              <h2>{workflow.name}</h2>
              <p>{workflow.description}</p>
              <RunMarks runs={workflow.recent} />
              <p class="quiet">
                {last === undefined ? 'Never run' : <State state={last.state} />}
                {Number.isFinite(next) ? ` · next tick ${relative(next, now)}` : ' · no future tick'}
              </p>
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
              {open === workflow.name && <TriggerForm workflow={workflow} />}
            </li>
          );
        })}
      </ul>
    </>
  );
}

interface ParamSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
}

function TriggerForm({ workflow }: { readonly workflow: Workflow }): JSX.Element {
  const [error, setError] = useState('');
  const [isBusy, setBusy] = useState(false);
  const start = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const settings: Record<string, unknown> = {};
    for (const [key, text] of given)
      if (typeof text === 'string' && text !== '') settings[key] = valueOf(text, schemaOf(workflow, key));
    setBusy(true);
    try {
      const run = await post<Run>(`/workflows/${encodeURIComponent(workflow.name)}/runs`, { settings });
      go(`/runs/${run.id}`);
    } catch (failure) {
      setError((failure as Error).message);
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void start(event)}>
      {workflow.params.length === 0 && (
        <p class="quiet">This workflow has no params: it starts with its configuration</p>
      )}
      {workflow.params.map((key) => {
        const schema = schemaOf(workflow, key);
        const id = `param-${workflow.name}-${key}`;
        const hint =
          schema.default === undefined ? 'as configured' : `as configured; otherwise ${JSON.stringify(schema.default)}`;
        return (
          <p key={key}>
            <label for={id}>{key}</label>
            {schema.enum === undefined ? (
              <input
                id={id}
                name={key}
                placeholder={hint}
                inputMode={isNumber(schema) ? 'numeric' : 'text'}
                autocomplete="off"
              />
            ) : (
              <select id={id} name={key}>
                <option value="">{hint}</option>
                {schema.enum.map((value) => (
                  <option key={String(value)}>{String(value)}</option>
                ))}
              </select>
            )}
          </p>
        );
      })}
      <Notice error={error} />
      <button class="main" type="submit" disabled={isBusy}>
        Start
      </button>
    </form>
  );
}

function schemaOf({ paramSchema }: Workflow, key: string): ParamSchema {
  const schema: unknown = paramSchema[key];
  return typeof schema === 'object' && schema !== null ? schema : {};
}

function isNumber({ type }: ParamSchema): boolean {
  return type === 'integer' || type === 'number';
}

/** A text stays a text if the schema requires a string. Any other text is parsed as JSON if possible. */
function valueOf(text: string, schema: ParamSchema): unknown {
  if (schema.type === 'string') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
