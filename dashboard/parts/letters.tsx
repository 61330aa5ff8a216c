/** The dead letters of a run, by reason, with their records, and their replay. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, type LetterGroups, type Letters as Page, type Run } from '../api.js';
import { grouped, moment } from '../format.js';
import { useData } from './data.js';
import { Loading, Notice } from './state.js';

type Group = LetterGroups['groups'][number];

const COLUMNS = ['records', 'task', 'code', 'message of the first', 'first', ''] as const;
const PAGE = 20;

interface LettersProps {
  readonly run: Run;
  /** Called when the run was changed. */
  readonly reload: () => void;
}

export function Letters({ run, reload }: LettersProps): JSX.Element {
  const path = `/runs/${encodeURIComponent(run.id)}`;
  const { data, error } = useData<LetterGroups>(`${path}/dead-letters`);
  const [open, setOpen] = useState(-1);
  const [problem, setProblem] = useState('');
  if (data === undefined) return <Loading error={error} />;
  if (data.groups.length === 0) return <p class="quiet">No record was given up</p>;
  return (
    <>
      <p class="actions">
        <button
          type="button"
          disabled={run.state !== 'completed'}
          onClick={() => {
            setProblem('');
            post(`${path}/replay`).then(reload, (failure: unknown) => {
              setProblem((failure as Error).message);
            });
          }}
        >
          Replay the dead letters
        </button>
        <span class="quiet">
          {run.state === 'completed'
            ? 'Processes their records again, for example after a mistake was corrected'
            : `Dead letters of a completed run can be replayed; this run is ${run.state}`}
        </span>
      </p>
      <Notice error={problem || error} />
      <div class="scroll" tabIndex={0} role="region" aria-label="Dead letters">
        <table>
          <thead>
            <tr>
              {COLUMNS.map((title, index) => (
                <th class={index === 0 ? 'number' : ''} scope="col" key={title}>
                  {title || <span class="hidden">records of the group</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.groups.map((group, index) => (
              <tr key={index}>
                <td class="number">{grouped(group.count)}</td>
                <td>{group.task}</td>
                <td>{group.code}</td>
                <td class="problem">{group.message}</td>
                <td>{group.example}</td>
                <td>
                  <button
                    type="button"
                    aria-expanded={open === index}
                    aria-label={`Records of ${group.task}: ${group.message}`}
                    onClick={() => {
                      setOpen(open === index ? -1 : index);
                    }}
                  >
                    Records
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {data.others > 0 && <p class="quiet">{grouped(data.others)} more dead letters have further reasons</p>}
      {data.groups[open] !== undefined && <Records key={open} run={run} group={data.groups[open]} />}
    </>
  );
}

function Records({ run, group }: { readonly run: Run; readonly group: Group }): JSX.Element {
  const [skip, setSkip] = useState(0);
  const { task, code, message, count } = group;
  const query = new URLSearchParams({ task, code, message, skip: String(skip), limit: String(PAGE) });
  const { data, error } = useData<Page>(`/runs/${encodeURIComponent(run.id)}/letters?${query.toString()}`);
  const link = (name: string): string =>
    `#/runs/${encodeURIComponent(run.id)}?${new URLSearchParams({ tab: 'why', key: name }).toString()}`;
  return (
    <section aria-label="Records of the group">
      <h3>
        Records that {task} gave up: {code}
      </h3>
      <Notice error={error} />
      {data !== undefined && (
        <>
          <p class="actions">
            {grouped(skip + 1)} to {grouped(skip + data.letters.length)} of {grouped(count)}
            {skip > 0 && (
              <button
                type="button"
                onClick={() => {
                  setSkip(Math.max(0, skip - PAGE));
                }}
              >
                ← before
              </button>
            )}
            {data.hasMore && (
              <button
                type="button"
                onClick={() => {
                  setSkip(skip + PAGE);
                }}
              >
                after →
              </button>
            )}
          </p>
          <div class="scroll" tabIndex={0} role="region" aria-label="Records">
            <table>
              <thead>
                <tr>
                  {['record', 'attempts', 'given up', 'message', 'its data'].map((title, index) => (
                    <th class={index === 1 ? 'number' : ''} scope="col" key={title}>
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {data.letters.map((letter, index) => (
                  <tr key={index}>
                    <th scope="row">
                      <a href={link(letter.name)} title="The story of this record">
                        {letter.name}
                      </a>
                    </th>
                    <td class="number">{grouped(letter.attempts)}</td>
                    <td>{moment(letter.at)}</td>
                    <td class="problem">{letter.message}</td>
                    <td class="problem">
                      <code>{letter.record}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}
