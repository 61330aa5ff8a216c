/** A form to make a schedule, or to change one: its ticks are shown before it is saved. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { post, put, type Schedule, type SchedulePreview } from '../api.js';
import { moment, momentIn } from '../format.js';
import { zone } from '../zone.js';
import { Notice } from './state.js';

const KINDS = ['cron', 'every', 'at'] as const;
type Kind = (typeof KINDS)[number];

const HINTS: Readonly<Record<Kind, string>> = {
  cron: '30 2 * * *: minute, hour, day of month, month, day of week',
  every: '15m, 6h or 1d',
  at: '2026-12-01T08:00:00+01:00',
};

interface FormProps {
  readonly workflows: readonly string[];
  /** The schedule to change; undefined for a new one. */
  readonly schedule?: Schedule;
  readonly onSaved: () => void;
}

export function ScheduleForm({ workflows, schedule, onSaved }: FormProps): JSX.Element {
  const stated = (schedule?.stated ?? {}) as Readonly<Record<string, unknown>>;
  const [workflow, setWorkflow] = useState(schedule?.workflow ?? workflows[0] ?? '');
  const [name, setName] = useState(schedule?.name ?? '');
  const [kind, setKind] = useState<Kind>(KINDS.find((one) => one in stated) ?? 'cron');
  const [rule, setRule] = useState(textOf(stated[kind]));
  const [ruleZone, setZone] = useState(textOf(stated['zone']) || zone.value);
  const [overlap, setOverlap] = useState(textOf(stated['overlap']) || 'skip');
  const [catchUp, setCatchUp] = useState(textOf(stated['catchUp']) || 'last');
  const [preview, setPreview] = useState<SchedulePreview>();
  const [error, setError] = useState('');
  const { settings, jitter, anchor } = stated;
  const body = {
    [kind]: rule,
    ...(kind === 'cron' ? { zone: ruleZone } : {}),
    ...(kind === 'every' && anchor !== undefined ? { anchor } : {}),
    ...{ overlap, catchUp },
    ...(settings === undefined ? {} : { settings }),
    ...(jitter === undefined ? {} : { jitter }),
  };
  const key = JSON.stringify(body);
  useEffect(() => {
    let isOver = false;
    setPreview(undefined);
    setError('');
    if (rule === '') return undefined;
    // While the user types, only the last text is sent.
    const timer = setTimeout(() => {
      post<SchedulePreview>('/schedules/preview', JSON.parse(key)).then(
        (answer) => {
          if (!isOver) setPreview(answer);
        },
        (failure: unknown) => {
          if (!isOver) setError((failure as Error).message);
        },
      );
    }, 300);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key]);
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      await put(`/schedules/${encodeURIComponent(workflow)}/${encodeURIComponent(name)}`, body);
      onSaved();
    } catch (failure) {
      setError((failure as Error).message);
    }
  };
  const id = `form-${schedule?.id ?? 'new'}`;
  const choice = (
    label: string,
    value: string,
    values: readonly string[],
    onChange: (text: string) => void,
  ): JSX.Element => (
    <p>
      <label for={`${id}-${label}`}>{label}</label>
      <select
        id={`${id}-${label}`}
        value={value}
        onChange={(event) => {
          onChange(event.currentTarget.value);
        }}
      >
        {values.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </p>
  );
  const field = (label: string, value: string, hint: string, onInput: (text: string) => void): JSX.Element => (
    <p>
      <label for={`${id}-${label}`}>{label}</label>
      <input
        id={`${id}-${label}`}
        value={value}
        placeholder={hint}
        required
        autocomplete="off"
        onInput={(event) => {
          onInput(event.currentTarget.value);
        }}
      />
    </p>
  );
  return (
    <form onSubmit={(event) => void save(event)}>
      {schedule === undefined && choice('Workflow', workflow, workflows, setWorkflow)}
      {schedule === undefined && field('Name', name, 'nightly', setName)}
      {choice('Rule', kind, KINDS, (text) => {
        setKind(text as Kind);
      })}
      {field(kind === 'cron' ? 'Pattern' : kind === 'every' ? 'Interval' : 'Moment', rule, HINTS[kind], setRule)}
      {kind === 'cron' && field('Time zone', ruleZone, 'Europe/Berlin', setZone)}
      {choice('Overlap', overlap, ['skip', 'queue', 'allow'], setOverlap)}
      {choice('Catch-up', catchUp, ['last', 'none', 'all'], setCatchUp)}
      <Notice error={error} />
      {preview?.warnings.map((warning) => (
        <p key={warning}>⚠ {warning}</p>
      ))}
      {preview !== undefined && (
        <>
          <h3>Its next ticks, in {zone.value}</h3>
          {preview.next.length === 0 && <p class="quiet">No future tick</p>}
          <ol>
            {preview.next.map((at) => (
              <li key={at}>
                {moment(at)}
                {kind !== 'cron' || ruleZone === zone.value ? '' : ` (${momentIn(at, ruleZone)} in ${ruleZone})`}
              </li>
            ))}
          </ol>
        </>
      )}
      <button class="main" type="submit" disabled={preview === undefined}>
        Save
      </button>
    </form>
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
