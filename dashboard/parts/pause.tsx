/** The line of a schedule or a trigger that pauses it with a note, or ends its pause. */
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, type Schedule } from '../api.js';
import { relative } from '../format.js';
import { useNow } from './data.js';

export interface PauseProps {
  readonly id: string;
  /** The path of the routes, without `/pause`. */
  readonly path: string;
  readonly pause: Schedule['pause'];
  /** The effect of the pause, in one sentence. */
  readonly effect: string;
  /** Executes the work, shows its error, and loads the data again. */
  readonly act: (work: () => Promise<unknown>) => void;
  /** The content before the note, shown while there is no pause. */
  readonly children?: ComponentChildren;
}

export function Pause({ id, path, pause, effect, act, children }: PauseProps): JSX.Element {
  const [note, setNote] = useState('');
  const now = useNow();
  return pause === null ? (
    <>
      {children !== undefined && <p>{children}</p>}
      <p class="actions">
        <label for={`note-${id}`}>Note for a pause</label>
        <input
          id={`note-${id}`}
          value={note}
          onInput={(event) => {
            setNote(event.currentTarget.value);
          }}
        />
        <button
          type="button"
          onClick={() => {
            act(() => post(`${path}/pause`, { note }));
          }}
        >
          Pause
        </button>
      </p>
    </>
  ) : (
    <p>
      ⏸ Paused by {pause.by} {relative(pause.at, now)}
      {pause.note === '' ? '' : `: ${pause.note}`}. {effect}{' '}
      <button
        class="main"
        type="button"
        onClick={() => {
          act(() => post(`${path}/unpause`));
        }}
      >
        Go on
      </button>
    </p>
  );
}
