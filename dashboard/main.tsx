/** The page: sign-in, navigation and keys around the screens. */
import { Fragment, render, type JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { exchange, follow, isLive, signIn, signOut, token } from './api.js';
import { Notice } from './parts/state.js';
import { go, route, withParam } from './router.js';
import { chooseZone, ownZone, zone } from './zone.js';
import { ApiReference } from './screens/api-reference.js';
import { Alerts } from './screens/alerts.js';
import { Calendar } from './screens/calendar.js';
import { Compare } from './screens/compare.js';
import { Home } from './screens/home.js';
import { Queue } from './screens/queue.js';
import { Run } from './screens/run.js';
import { Runs } from './screens/runs.js';
import { Schedules } from './screens/schedules.js';
import { Settings } from './screens/settings.js';
import { Triggers } from './screens/triggers.js';
import { Workflow } from './screens/workflow.js';
import { Workflows } from './screens/workflows.js';
import './style.css';

/** The screens, with the key that follows `g`. */
const SCREENS = [
  { path: '', title: 'Home', key: 'h' },
  { path: 'workflows', title: 'Workflows', key: 'w' },
  { path: 'runs', title: 'Runs', key: 'r' },
  { path: 'schedules', title: 'Schedules', key: 's' },
  { path: 'calendar', title: 'Calendar', key: 'c' },
  { path: 'queue', title: 'Queue', key: 'q' },
  { path: 'triggers', title: 'Triggers', key: 't' },
  { path: 'alerts', title: 'Alerts', key: 'a' },
  { path: 'settings', title: 'Settings', key: 'e' },
  { path: 'api', title: 'API', key: 'i' },
] as const;
const CHORD_MS = 1500;
/** The keys of all screens but those of the screens themselves. */
const KEYS = [
  { keys: ['j', 'k'], effect: 'next and previous row' },
  { keys: ['[', ']'], effect: 'earlier and later run, or page' },
  { keys: ['/'], effect: 'search' },
  { keys: ['t'], effect: 'start a run, on the page of a workflow' },
  { keys: ['f'], effect: 'follow the output of a run' },
] as const;
const ROWS = 'main tbody tr, main li.card, main .attention li';

function Page(): JSX.Element {
  const [isHelp, setHelp] = useState(false);
  useKeys(
    () => {
      setHelp((is) => !is);
    },
    () => {
      setHelp(false);
    },
  );
  const { path } = route.value;
  const [screen = '', id] = path;
  // The screen of a run follows its own stream, which has the changes too.
  const hasOwnStream = screen === 'runs' && id !== undefined;
  useEffect(() => (hasOwnStream ? undefined : follow(undefined, () => undefined)), [hasOwnStream, token.value]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the content
      </a>
      <header>
        <strong>millrace</strong>
        <nav aria-label="Screens">
          {SCREENS.map(({ path: to, title }) => (
            <a key={to} href={`#/${to}`} aria-current={to === screen ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span class="quiet" role="status">
          {isLive.value ? '● live' : '○ not connected'}
        </span>
        <ZoneChoice />
        <button
          type="button"
          onClick={() => {
            setHelp(true);
          }}
        >
          Keys
        </button>
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        {isHelp && (
          <section class="card" aria-label="Keys">
            <ul>
              {SCREENS.map(({ title, key }) => (
                <li key={key}>
                  <kbd>g</kbd> <kbd>{key}</kbd> {title}
                </li>
              ))}
              {KEYS.map(({ keys, effect }) => (
                <li key={effect}>
                  {keys.map((key) => (
                    <Fragment key={key}>
                      <kbd>{key}</kbd>{' '}
                    </Fragment>
                  ))}
                  {effect}
                </li>
              ))}
              <li>
                <kbd>?</kbd> shows this, <kbd>Esc</kbd> hides it
              </li>
            </ul>
          </section>
        )}
        {screen === '' && <Home />}
        {screen === 'workflows' && (id === undefined ? <Workflows /> : <Workflow key={id} name={id} />)}
        {screen === 'runs' && (id === undefined ? <Runs /> : <Run key={id} id={id} />)}
        {screen === 'compare' && <Compare ids={[path[1] ?? '', path[2] ?? '']} />}
        {screen === 'schedules' && <Schedules />}
        {screen === 'calendar' && <Calendar />}
        {screen === 'queue' && <Queue />}
        {screen === 'triggers' && <Triggers />}
        {screen === 'alerts' && <Alerts />}
        {screen === 'settings' && <Settings />}
        {screen === 'api' && <ApiReference />}
        {screen !== 'compare' && !SCREENS.some(({ path: to }) => to === screen) && (
          <Notice error="There is no such page" />
        )}
      </main>
    </>
  );
}

/** The choice of the time zone, which the address of the page then has too. */
function ZoneChoice(): JSX.Element {
  const given = route.value.query.get('zone');
  useEffect(() => {
    if (given !== null) chooseZone(given);
  }, [given]);
  const names = [...new Set([zone.value, ownZone, 'UTC', ...Intl.supportedValuesOf('timeZone')])];
  return (
    <select
      aria-label="Time zone"
      value={zone.value}
      onChange={({ currentTarget }) => {
        chooseZone(currentTarget.value);
        go(withParam('zone', currentTarget.value));
      }}
    >
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

function SignIn({ problem }: { readonly problem: string }): JSX.Element {
  return (
    <main id="main">
      <h1>millrace</h1>
      <Notice error={problem} />
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          const given = new FormData(event.currentTarget).get('token');
          signIn(typeof given === 'string' ? given.trim() : '');
        }}
      >
        <p>
          The server prints an address that signs in once. Later, use a token: the server has one in its file{' '}
          <code>.millrace/server/token</code>.
        </p>
        <p>
          <label for="token">Token</label> <input id="token" name="token" type="password" autocomplete="off" required />
        </p>
        <button class="main" type="submit">
          Sign in
        </button>
      </form>
    </main>
  );
}

function useKeys(onHelp: () => void, onEscape: () => void): void {
  useEffect(() => {
    let pressedG = -Infinity;
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof Element && event.target.matches('input, select, textarea');
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === '?') onHelp();
      else if (event.key === 'Escape') onEscape();
      else if (event.key === 'g') pressedG = event.timeStamp;
      else if (event.timeStamp - pressedG >= CHORD_MS) {
        if (press(event.key)) event.preventDefault();
      } else {
        const screen = SCREENS.find(({ key }) => key === event.key);
        if (screen !== undefined) go(`/${screen.path}`);
        pressedG = -Infinity;
      }
    };
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('keydown', onKey);
    };
  }, []);
}

/** Does what a key means on this screen. Returns false if it means nothing. */
function press(key: string): boolean {
  if (key === 'j' || key === 'k') return moveTo(key === 'j' ? 1 : -1);
  const wanted: Readonly<Record<string, string>> = {
    '[': 'main a[rel=prev]',
    ']': 'main a[rel=next]',
    '/': 'main input[type=search], main select',
    t: 'main [data-key=t]',
    f: 'main [data-key=f]',
  };
  const selector = wanted[key];
  const found = selector === undefined ? null : document.querySelector<HTMLElement>(selector);
  if (key === '/') found?.focus();
  else found?.click();
  return found !== null;
}

/** Moves the focus to the first link of another row. */
function moveTo(step: number): boolean {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.querySelector('a, button') !== null);
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step];
  row?.querySelector<HTMLElement>('a, button')?.focus();
  return row !== undefined;
}

function App({ problem }: { readonly problem: string }): JSX.Element {
  return token.value === '' ? <SignIn problem={problem} /> : <Page />;
}

async function start(): Promise<void> {
  const [, code] = /^#code=([\w-]+)$/.exec(location.hash) ?? [];
  let problem = '';
  if (code !== undefined) {
    // The code must not stay in the history.
    history.replaceState(null, '', '/#/');
    route.value = { path: [], query: new URLSearchParams() };
    await exchange(code).catch((error: unknown) => {
      problem = (error as Error).message;
    });
  }
  render(<App problem={problem} />, document.getElementById('page') as HTMLElement);
}

void start();
