/** A form that starts a run of a workflow, with a field for each of its params. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, type Run, type Workflow } from '../api.js';
import { go } from '../router.js';
import { inWords, isNumber, schemaOf, textOf, valueOf } from './param-schema.js';
import { Notice } from './state.js';

interface StartFormProps {
  readonly workflow: Workflow;
  /** The settings to begin with. */
  readonly settings?: Run['settings'];
}

export function StartForm({ workflow, settings: before = {} }: StartFormProps): JSX.Element {
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
                placeholder={`${hint} · ${inWords(schema)}`}
                inputMode={isNumber(schema) ? 'numeric' : 'text'}
                autocomplete="off"
                defaultValue={textOf(before[key])}
              />
            ) : (
              <select id={id} name={key}>
                <option value="">{hint}</option>
                {schema.enum.map((value) => (
                  <option key={String(value)} selected={value === before[key]}>
                    {String(value)}
                  </option>
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
