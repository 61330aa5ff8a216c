/** Home: what needs attention, the runs in progress, and the next schedules. */
import type { JSX } from 'preact';
import type { Overview } from '../api.js';
import { duration, grouped, moment, percent, rate, relative } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { LastDay } from '../parts/last-day.js';
import { Loading, Notice, State } from '../parts/state.js';
import { zone } from '../zone.js';

export function Home(): JSX.Element {
  const { data, error } = useData<Overview>('/overview');
  const now = useNow();
  if (data === undefined) return <Loading error={error} />;
  return (
    <>
      <h1>Home</h1>
      <Notice error={error} />
      <section aria-labelledby="attention">
        <h2 id="attention">Needs attention</h2>
        {data.attention.length === 0 ? (
          <p class="quiet">Nothing in the last 24 hours</p>
        ) : (
          <ul class="attention">
            {data.attention.map(({ about, subject, text }) => (
              <li key={`${about} ${subject} ${text}`}>
                <span aria-hidden="true">⚠</span>{' '}
                {about === 'run' ? <a href={`#/runs/${subject}`}>{subject}</a> : <strong>{subject || about}</strong>}:{' '}
                {text}
              </li>
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="active">
        <h2 id="active">At work and waiting</h2>
        {data.active.length === 0 ? (
          <p class="quiet">
            No run is at work. <a href="#/workflows">Start one</a>
          </p>
        ) : (
          <ul class="cards">
            {data.active.map(({ run, readShare, perSecond }) => (
              <li key={run.id} class="card">
                <a href={`#/runs/${run.id}`}>{run.workflow}</a> <State state={run.state} />
                <div class="quiet">
                  {run.startedAt === null ? run.waitsFor : `for ${duration(now - run.startedAt)} · ${rate(perSecond)}`}
                  {run.schedule === null ? '' : ` · ${run.schedule}`}
                </div>
                {readShare !== null && (
                  <>
                    <progress value={readShare} max={1} aria-label={`Read of the input of ${run.workflow}`} />{' '}
                    {percent(readShare)} read
                  </>
                )}
              </li>
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="day">
        <h2 id="day">Ended in the last 24 hours</h2>
        <LastDay hours={data.lastDay} />
      </section>
      <section aria-labelledby="next">
        <h2 id="next">Next ticks</h2>
        {data.next.length === 0 ? (
          <p class="quiet">
            {data.isDescribed ? 'No workflow has a schedule' : 'The server still reads its workflows…'}
          </p>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Table of the next ticks">
            <table>
              <thead>
                <tr>
                  <th scope="col">schedule</th>
                  <th scope="col">when</th>
                  <th scope="col">in {zone.value}</th>
                </tr>
              </thead>
              <tbody>
                {data.next.map(({ schedule, at }) => (
                  <tr key={`${schedule} ${at}`}>
                    <th scope="row">
                      <a href="#/schedules">{schedule}</a>
                    </th>
                    <td>{relative(at, now)}</td>
                    <td>{moment(at)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      {data.servers.length > 1 && <Servers servers={data.servers} now={now} />}
      <section aria-labelledby="all">
        <h2 id="all">All runs</h2>
        <ul class="counts">
          {(Object.entries(data.counts) as [keyof Overview['counts'], number][]).map(([state, count]) => (
            <li key={state}>
              <a href={`#/runs?state=${state}`}>
                <State state={state} /> {grouped(count)}
              </a>
            </li>
          ))}
        </ul>
        <p class="quiet">
          millrace {data.version}, up for {duration(now - data.startedAt)}, at most {data.maxRuns} runs at work
        </p>
      </section>
    </>
  );
}

/** The servers that share the store. */
function Servers({ servers, now }: { readonly servers: Overview['servers']; readonly now: number }): JSX.Element {
  return (
    <section aria-labelledby="servers">
      <h2 id="servers">Servers</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Servers of the store">
        <table>
          <thead>
            <tr>
              <th scope="col">server</th>
              <th scope="col">role</th>
              <th class="number" scope="col">
                runs at once
              </th>
              <th scope="col">pools</th>
              <th class="number" scope="col">
                up for
              </th>
              <th class="number" scope="col">
                last sign of life
              </th>
            </tr>
          </thead>
          <tbody>
            {servers.map(({ number, host, url, isLeader, isThis, maxRuns, pools, startedAt, renewedAt }) => (
              <tr key={number}>
                <th scope="row">
                  {host} {isThis ? '(this page)' : url}
                </th>
                <td>{isLeader ? 'leads: decides the ticks' : 'stands by'}</td>
                <td class="number">{grouped(maxRuns)}</td>
                <td>
                  {Object.entries(pools)
                    .map(([name, size]) => `${name}=${size}`)
                    .join(', ')}
                </td>
                <td class="number">{duration(now - startedAt)}</td>
                <td class="number">{relative(renewedAt, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
