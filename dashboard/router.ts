/** The fragment of the address names the view: `#/runs/<id>?tab=output`. */
import { signal } from '@preact/signals';

export interface Route {
  /** The decoded parts of the path. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export const route = signal(read());

addEventListener('hashchange', () => {
  route.value = read();
});

export function go(path: string): void {
  location.hash = path;
}

/** The same without an entry of its own in the history of the browser. */
export function replace(path: string): void {
  location.replace(`#${path}`);
}

/** The address of this view with another value of a parameter; '' removes it. */
export function withParam(name: string, value: string): string {
  const { path, query } = route.value;
  const next = new URLSearchParams(query);
  if (value === '') next.delete(name);
  else next.set(name, value);
  return `/${path.map(encodeURIComponent).join('/')}?${next.toString()}`;
}

function read(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#/, '').split('?');
  const parts = path.split('/').filter((part) => part !== '');
  return { path: parts.map(decode), query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
