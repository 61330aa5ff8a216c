/** Settings: tokens, a copy of the store, and the audit. For the role admin. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, remove, type AuditEntry, type Me, type Token } from '../api.js';
import { moment } from '../format.js';
import { useData } from '../parts/data.js';
import { Loading, Notice } from '../parts/state.js';

export function Settings(): JSX.Element {
  const { data: me, error } = useData<Me>('/me');
  const [acts, setActs] = useState(0);
  const onAct = (): void => {
    setActs((count) => count + 1);
  };
  if (me === undefined) return <Loading error={error} />;
  return (
    <>
      <h1>Settings</h1>
      <p>
        Signed in with the token <strong>{me.name}</strong>, which has the role {me.role}.
      </p>
      {me.role === 'admin' ? (
        <>
          <Tokens onAct={onAct} />
          <Copies onAct={onAct} />
          <Audit key={acts} />
        </>
      ) : (
        <p class="quiet">Tokens and the audit need the role admin</p>
      )}
    </>
  );
}

interface Acting {
  /** Called after each change, which adds an entry to the audit. */
  readonly onAct: () => void;
}

function Tokens({ onAct }: Acting): JSX.Element {
  const { data, error, reload: load } = useData<{ tokens: readonly Token[] }>('/tokens');
  const reload = (): void => {
    load();
    onAct();
  };
  const [problem, setProblem] = useState('');
  const [made, setMade] = useState('');
  const fail = (failure: unknown): void => {
    setProblem((failure as Error).message);
  };
  const make = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const { name, role, days } = Object.fromEntries(new FormData(form)) as Record<string, string>;
    setProblem('');
    post<{ token: string }>('/tokens', { name, role, days: Number(days) }).then(({ token }) => {
      setMade(token);
      form.reset();
      reload();
    }, fail);
  };
  return (
    <section class="card" aria-labelledby="tokens">
      <h2 id="tokens">Tokens</h2>
      <Notice error={error || problem} />
      <ul>
        {data?.tokens.map(({ id, name, role, createdAt, expiresAt }) => (
          <li key={id}>
            <strong>{name}</strong> · {role} · made {moment(createdAt)} ·{' '}
            {expiresAt === null ? 'does not expire' : `expires ${moment(expiresAt)}`}{' '}
            <button
              type="button"
              aria-label={`Remove the token ${name}`}
              onClick={() => {
                if (confirm(`Remove the token ${name}? Its users and programs lose their access.`)) {
                  remove(`/tokens/${encodeURIComponent(id)}`).then(reload, fail);
                }
              }}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      <form onSubmit={make}>
        <p>
          <label for="token-name">Name</label> <input id="token-name" name="name" required maxLength={200} />{' '}
          <label for="token-role">Role</label>{' '}
          <select id="token-role" name="role">
            <option value="viewer">viewer: sees everything but records and output</option>
            <option value="operator">operator: also starts and stops runs</option>
            <option value="admin">admin: also tokens and the audit</option>
          </select>{' '}
          <label for="token-days">Days</label>{' '}
          <input id="token-days" name="days" type="number" min="1" max="3650" value="90" required />{' '}
          <button class="main" type="submit">
            Make a token
          </button>
        </p>
      </form>
      {made !== '' && (
        <p role="status">
          The new token, which is shown only once: <code>{made}</code>
        </p>
      )}
    </section>
  );
}

function Copies({ onAct }: Acting): JSX.Element {
  const [state, setState] = useState<{ readonly path?: string; readonly error?: string }>({});
  return (
    <section class="card" aria-labelledby="copies">
      <h2 id="copies">Copy of the store</h2>
      <Notice error={state.error ?? ''} />
      <button
        type="button"
        onClick={() => {
          const show = (copy: { path: string }): void => {
            setState(copy);
            onAct();
          };
          post<{ path: string }>('/backup').then(show, (failure: unknown) => {
            setState({ error: (failure as Error).message });
          });
        }}
      >
        Copy the store
      </button>
      {state.path !== undefined && (
        <p role="status">
          Copied on the machine of the server: <code>{state.path}</code>
        </p>
      )}
    </section>
  );
}

function Audit(): JSX.Element {
  const { data, error } = useData<{ entries: readonly AuditEntry[] }>('/audit');
  return (
    <section class="card" aria-labelledby="audit">
      <h2 id="audit">Audit, newest first</h2>
      <Notice error={error} />
      <ol>
        {data?.entries.map(({ at, who, what, subject }, index) => (
          <li key={index}>
            {moment(at)}: <strong>{who}</strong> {what}, {subject}
          </li>
        ))}
      </ol>
    </section>
  );
}
