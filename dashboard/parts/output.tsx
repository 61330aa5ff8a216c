/** What a process of a run has printed: its end, older lines on scrolling up, and a search. Keeps a bounded part of it. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { get, type Output as Part } from '../api.js';
import { bytes } from '../format.js';
import { go, route, withParam } from '../router.js';
import { Loading, Notice } from './state.js';

/** Parts have at most 64 kB. Of the others, those at the other end are dropped. */
const MOST_PARTS = 16;
const FOLLOW_MS = 1000;
/** Nearer to the top than this, in pixels, older lines are loaded. */
const NEAR_TOP = 60;

interface Shown {
  readonly parts: readonly Part[];
  /** The place to which the text was scrolled. */
  readonly at: 'start' | 'end' | 'kept';
  /** Whether the first line is the last one found. */
  readonly isFound: boolean;
}

export function Output({ id, isOpen }: { readonly id: string; readonly isOpen: boolean }): JSX.Element {
  const given = Number(route.value.query.get('process') ?? 0);
  const [shown, setShown] = useState<Shown>();
  const [last, setLast] = useState(0);
  const [error, setError] = useState('');
  const [note, setNote] = useState('');
  const [isFollowing, setFollowing] = useState(true);
  /** Whether the end of a run that has ended is shown. */
  const [isWhole, setWhole] = useState(!isOpen);
  const box = useRef<HTMLPreElement>(null);
  const heightBefore = useRef(0);
  /** The number of the newest load. A load that another one has followed has no result. */
  const newest = useRef(0);
  const isBusy = useRef(false);
  const load = async (query: Readonly<Record<string, string | number>>): Promise<Part | undefined> => {
    const number = ++newest.current;
    isBusy.current = true;
    const params = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
    if (given > 0) params.set('process', String(given));
    try {
      const part = await get<Part>(`/runs/${encodeURIComponent(id)}/output?${params.toString()}`);
      if (number !== newest.current) return undefined;
      setError('');
      return part;
    } catch (failure) {
      if (number === newest.current) setError((failure as Error).message);
      return undefined;
    } finally {
      if (number === newest.current) isBusy.current = false;
    }
  };
  const end = async (): Promise<void> => {
    const part = await load({});
    if (part === undefined) return;
    setWhole(!isOpen);
    if (given === 0) setLast(part.process);
    setShown({ parts: [part], at: 'end', isFound: false });
  };
  const older = async (): Promise<void> => {
    const first = shown?.parts[0];
    if (first === undefined || first.from === 0) return;
    heightBefore.current = box.current?.scrollHeight ?? 0;
    const part = await load({ before: first.from });
    if (part === undefined) return;
    setFollowing(false);
    setShown((old) => ({ parts: [part, ...(old?.parts ?? [])].slice(0, MOST_PARTS), at: 'kept', isFound: false }));
  };
  const add = (part: Part, at: Shown['at']): void => {
    setShown((old) => ({ parts: [...(old?.parts ?? []), part].slice(-MOST_PARTS), at, isFound: false }));
  };
  const newer = async (): Promise<void> => {
    const part = await load({ after: shown?.parts.at(-1)?.to ?? 0 });
    if (part === undefined) return;
    if (part.to === part.size) setWhole(!isOpen);
    if (part.text !== '') add(part, 'kept');
  };
  const follow = async (): Promise<void> => {
    const final = shown?.parts.at(-1);
    const part = await load({ after: final?.to ?? 0 });
    if (part === undefined) return;
    // The process has printed more than one part since the last look: the page goes to the end, or it would fall behind
    // more and more. Each process of a run has an output of its own, which the page shows from its end.
    if (part.to < part.size || part.process !== final?.process) return end();
    if (part.text !== '') add(part, 'end');
    if (!isOpen) setWhole(true);
  };
  const find = async (text: string): Promise<void> => {
    const before = shown?.isFound === true ? shown.parts[0]?.from : undefined;
    const part = await load({ find: text, ...(before === undefined ? {} : { before }) });
    if (part === undefined) return;
    setNote(
      part.text === '' ? `No ${before === undefined ? '' : 'earlier '}line contains it` : 'The first line contains it',
    );
    if (part.text === '') return;
    setFollowing(false);
    setShown({ parts: [part], at: 'start', isFound: true });
  };
  useEffect(() => {
    setShown(undefined);
    void end();
  }, [id, given]);
  useEffect(() => {
    if (isOpen) setWhole(false);
  }, [isOpen]);
  useEffect(() => {
    // The last lines may have been printed after the last look.
    if (!isFollowing || shown === undefined || (!isOpen && isWhole)) return undefined;
    // What the page does by itself must not replace a load that the user has asked for.
    const timer = setInterval(() => {
      if (!isBusy.current) void follow();
    }, FOLLOW_MS);
    return () => {
      clearInterval(timer);
    };
  }, [isOpen, isFollowing, isWhole, shown]);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || shown === undefined) return;
    if (shown.at === 'end') element.scrollTop = element.scrollHeight;
    if (shown.at === 'start') element.scrollTop = 0;
    if (shown.at === 'kept') element.scrollTop += element.scrollHeight - heightBefore.current;
  }, [shown]);
  if (shown === undefined) return <Loading error={error} />;
  const [first, final] = [shown.parts[0], shown.parts.at(-1)];
  if (first === undefined || final === undefined) return <Loading error={error} />;
  const text = shown.parts.map((part) => part.text).join('');
  const [line = '', ...rest] = shown.isFound ? text.split(/(?<=\n)/) : [''];
  const size = Math.max(...shown.parts.map((part) => part.size));
  // A process that is not followed may have printed more since the last load.
  const hasNewer = final.to < size || (!isFollowing && !isWhole);
  return (
    <>
      <form
        class="actions"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const wanted = new FormData(event.currentTarget).get('find');
          if (typeof wanted === 'string' && wanted !== '') void find(wanted);
        }}
      >
        {last > 1 && (
          <>
            <label for="process">Process</label>
            <select
              id="process"
              value={String(given === 0 ? last : given)}
              onChange={({ currentTarget }) => {
                go(withParam('process', currentTarget.value === String(last) ? '' : currentTarget.value));
              }}
            >
              {Array.from({ length: last }, (_, index) => (
                <option key={index}>{index + 1}</option>
              ))}
            </select>
          </>
        )}
        <label for="find">Find</label>
        <input
          id="find"
          name="find"
          type="search"
          maxLength={200}
          onInput={() => {
            setNote('');
            setShown((old) => old && { ...old, at: 'kept', isFound: false });
            heightBefore.current = box.current?.scrollHeight ?? 0;
          }}
        />
        <button type="submit">{shown.isFound ? 'Find an earlier line' : 'Find the last line'}</button>
        {isOpen && (
          <button
            type="button"
            data-key="f"
            aria-pressed={isFollowing}
            onClick={() => {
              setFollowing(!isFollowing);
            }}
          >
            Follow
          </button>
        )}
        <span role="status">{note}</span>
      </form>
      <Notice error={error} />
      {text === '' && <p class="quiet">The process has printed nothing</p>}
      {text !== '' && (
        <>
          <p class="quiet">
            {first.from === 0 ? 'From the beginning' : `After ${bytes(first.from)}`}, up to {bytes(final.to)} of{' '}
            {bytes(size)}{' '}
            {first.from > 0 && (
              <button type="button" onClick={() => void older()}>
                Older lines
              </button>
            )}
          </p>
          <pre
            class="log"
            tabIndex={0}
            aria-label="Output"
            ref={box}
            onScroll={({ currentTarget }) => {
              if (currentTarget.scrollTop < NEAR_TOP && shown.at !== 'start' && !isBusy.current) void older();
            }}
          >
            {shown.isFound && <mark>{line}</mark>}
            {shown.isFound ? rest.join('') : text}
          </pre>
          {hasNewer && (
            <p class="actions">
              <button type="button" onClick={() => void newer()}>
                Newer lines
              </button>
              <button type="button" onClick={() => void end()}>
                To the end
              </button>
            </p>
          )}
        </>
      )}
    </>
  );
}
