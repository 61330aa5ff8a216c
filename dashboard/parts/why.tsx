/** The story of one record of a run: where it was read, given up and written. */
import type { JSX } from 'preact';
import type { Story } from '../api.js';
import { moment } from '../format.js';
import { go, route, withParam } from '../router.js';
import { useData } from './data.js';
import { Notice } from './state.js';

export function Why({ id }: { readonly id: string }): JSX.Element {
  const key = route.value.query.get('key') ?? '';
  return (
    <>
      <form
        class="actions"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const given = new FormData(event.currentTarget).get('key');
          if (typeof given === 'string') go(withParam('key', given));
        }}
      >
        <label for="key">A value of the record, such as its id, or its number, such as Root#12</label>
        <input id="key" name="key" type="search" key={key} defaultValue={key} required maxLength={1000} />
        <button type="submit">Show its story</button>
      </form>
      {key !== '' && <Traces id={id} record={key} />}
    </>
  );
}

function Traces({ id, record }: { readonly id: string; readonly record: string }): JSX.Element {
  const { data, error } = useData<Story>(
    `/runs/${encodeURIComponent(id)}/why?${new URLSearchParams({ key: record }).toString()}`,
    'once',
  );
  if (error !== '') return <Notice error={error} />;
  if (data === undefined) return <p role="status">The record is searched in what the run read, gave up and wrote…</p>;
  if (data.traces.length === 0)
    return <p role="status">Nothing that the run read, gave up or wrote holds “{record}”</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Story of the record">
      <table>
        <thead>
          <tr>
            {['task', 'when', 'record', 'what happened'].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.traces.map(({ task, at, record: name, what }, index) => (
            <tr key={index}>
              <th scope="row">{task}</th>
              <td>{at === '' ? '' : moment(Date.parse(at))}</td>
              <td>{name}</td>
              <td class="wide problem">{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
