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
