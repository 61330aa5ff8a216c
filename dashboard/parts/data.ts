/** Data of the server for one screen: loaded when the screen opens, and again when the server reports a change. */
import { useEffect, useState } from 'preact/hooks';
import { get, token, version } from '../api.js';

export interface Loaded<Answer> {
  readonly data: Answer | undefined;
  readonly error: string;
  readonly reload: () => void;
}

/** @param when 'once': not again when the server reports a change. */
export function useData<Answer>(path: string, when: 'always' | 'once' = 'always'): Loaded<Answer> {
  const [state, setState] = useState<{ path: string; data: Answer | undefined; error: string }>();
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    let isOver = false;
    get<Answer>(path).then(
      (data) => {
        if (!isOver) setState({ path, data, error: '' });
      },
      (error: unknown) => {
        if (!isOver)
          setState((old) => ({
            path,
            data: old?.path === path ? old.data : undefined,
            error: (error as Error).message,
          }));
      },
    );
    return () => {
      isOver = true;
    };
  }, [path, asked, when === 'once' ? 0 : version.value, token.value]);
  // Data of another screen is not shown on this one.
  const own = state?.path === path ? state : undefined;
  return {
    data: own?.data,
    error: own?.error ?? '',
    reload: () => {
      setAsked((count) => count + 1);
    },
  };
}

/** The current time, updated once per second, for relative times. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return now;
}
