/** A form that requests runs for past ticks. It shows the ticks before any run is queued. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { get, post, type Backfill, type BackfillPreview } from '../api.js';
import { grouped, moment } from '../format.js';
import { go } from '../router.js';
import { momentOf, zone } from '../zone.js';
import { Notice } from './state.js';

export function BackfillForm({ id, path }: { readonly id: string; readonly path: string }): JSX.Element {
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [overlaps, setOverlaps] = useState(false);
  const [ticks, setTicks] = useState<'all' | 'missing'>('all');
  const [preview, setPreview] = useState<BackfillPreview>();
  const [error, setError] = useState('');
  // A second press of the button refers to the same backfill.
  const [requestKey] = useState(() => crypto.randomUUID());
  // The fields have local times without a zone.
  const rangeOf = (): { readonly from: number; readonly to: number; readonly ticks: typeof ticks } => ({
    ticks,
    from: momentOf(Date.parse(`${from}Z`)),
    to: momentOf(Date.parse(`${to}Z`)),
  });
  const attempt = (work: () => Promise<void>): void => {
    setError('');
    work().catch((failure: unknown) => {
      setError((failure as Error).message);
    });
  };
  const look = (): void => {
    attempt(async () => {
      const range = rangeOf();
      setPreview(await get<BackfillPreview>(`${path}/backfill?from=${range.from}&to=${range.to}&ticks=${ticks}`));
    });
  };
  const start = (): void => {
    attempt(async () => {
      const { id: made } = await post<Backfill>(`${path}/backfill`, { ...rangeOf(), overlaps, requestKey });
      go(`/runs?backfill=${made}`);
    });
  };
  const field = (label: string, value: string, onInput: (text: string) => void): JSX.Element => (
    <p>
      <label for={`${id}-${label}`}>{label}</label>
      <input
        id={`${id}-${label}`}
        type="datetime-local"
        value={value}
        required
        onInput={(event) => {
          setPreview(undefined);
          onInput(event.currentTarget.value);
        }}
      />
    </p>
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (preview === undefined) look();
        else start();
      }}
    >
      <p>
        Each tick after the beginning, up to the end, gets a run of its own, oldest tick first. Times are in{' '}
        {zone.value}
      </p>
      {field('After', from, setFrom)}
      {field('Until', to, setTo)}
      <p>
        <label for={`${id}-ticks`}>Ticks</label>
        <select
          id={`${id}-ticks`}
          value={ticks}
          onChange={({ currentTarget }) => {
            setPreview(undefined);
            setTicks(currentTarget.value === 'missing' ? 'missing' : 'all');
          }}
        >
          <option value="all">all</option>
          <option value="missing">without a completed run</option>
        </select>
      </p>
      <p>
        <input
          id={`${id}-overlaps`}
          type="checkbox"
          checked={overlaps}
          onChange={(event) => {
            setOverlaps(event.currentTarget.checked);
          }}
        />{' '}
        <label for={`${id}-overlaps`}>Its runs may overlap</label>
      </p>
      <Notice error={error} />
      {preview !== undefined && (
        <>
          <h3>
            {preview.count === 0
              ? 'No run is missing'
              : `${preview.count === 1 ? 'One run' : `${grouped(preview.count)} runs`}, for`}
          </h3>
          <ol>
            {preview.ticks.map((at) => (
              <li key={at}>{moment(at)}</li>
            ))}
          </ol>
          {preview.count > preview.ticks.length && <p class="quiet">The last line is the last tick of the range</p>}
        </>
      )}
      <button class={preview === undefined ? '' : 'main'} type="submit" disabled={preview?.count === 0}>
        {preview === undefined ? 'Show the ticks' : 'Queue the runs'}
      </button>
    </form>
  );
}
