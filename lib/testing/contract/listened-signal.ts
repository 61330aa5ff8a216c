/** A signal that counts its listeners. */

/** Makes a signal that is never aborted, and a function that returns the number of its listeners. */
export function listenedSignal(): { readonly signal: AbortSignal; readonly listeners: () => number } {
  const { signal } = new AbortController();
  const added = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...[type, listener, options]: Parameters<typeof add>): void => {
    added.add(listener);
    add(type, listener, options);
  };
  signal.removeEventListener = (...[type, listener, options]: Parameters<typeof remove>): void => {
    added.delete(listener);
    remove(type, listener, options);
  };
  return { signal, listeners: () => added.size };
}
