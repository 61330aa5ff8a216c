/**
 * The open windows of one task, with their limit and their part of the durable state.
 *
 * Guarantees: a checkpoint contains the windows that are open at its moment.
 */
import { FatalTaskError } from '../../model/errors.js';
import { KeptEntries } from '../../stream/kept-entries.js';
import type { Change } from '../../stream/state-space.js';
import type { TaskScope } from '../../stream/task-scope.js';
import { CountedWindows } from './counted-windows.js';
import { FixedWindows } from './fixed-windows.js';
import type { Folding, Missed, OpenWindow, OpenWindows, Placed, WindowObserver } from './open-windows.js';
import { SessionWindows } from './session-windows.js';
import type { WindowKind } from './window-kinds.js';
import { DEFAULT_MAX_WINDOWS } from './windowed.js';

type StoredWindow<Key, State> = readonly [key: Key, start: number, end: number, state: State, records: number];

export interface WindowStoreParts<In, Key, State> {
  readonly kind: WindowKind;
  readonly folding: Folding<In, Key, State>;
  readonly maxWindows: number | undefined;
  /** The most records in all windows. Only for windows of time. */
  readonly maxRecords: number | undefined;
  readonly scope: TaskScope;
  /** Called for each window that has received a record. */
  readonly onChanged: ((window: OpenWindow<Key, State>) => void) | undefined;
}

export class WindowStore<In, Key, State> implements WindowObserver<Key, State> {
  private readonly parts: WindowStoreParts<In, Key, State>;
  private readonly windows: OpenWindows<In, Key, State>;
  private readonly open = new Set<OpenWindow<Key, State>>();
  /** Present if the state is kept. */
  private readonly entries: KeptEntries<OpenWindow<Key, State>> | undefined;
  private nextPlace = 0;
  /** The records of all open windows. */
  private records = 0;

  constructor(parts: WindowStoreParts<In, Key, State>) {
    this.parts = parts;
    this.windows = windowsOf(parts.kind, parts.folding, this);
    if (parts.scope.state === undefined) return;
    this.entries = new KeptEntries<OpenWindow<Key, State>>(
      (window) => (this.open.has(window) ? [storedForm(window)] : undefined),
      () => this.nextPlace++,
    );
  }

  /** The number of open windows. */
  get size(): number {
    return this.open.size;
  }

  /** See `OpenWindows.nextEnd`. */
  get nextEnd(): number | undefined {
    return this.windows.nextEnd;
  }

  /** See `OpenWindows.add`. Throws MILLRACE_WINDOW_OVERFLOW for one window too many. */
  add(placed: Placed<In, Key>): Missed {
    return this.windows.add(placed);
  }

  /** See `OpenWindows.due`. */
  due(closed: number): OpenWindow<Key, State> | undefined {
    return this.windows.due(closed);
  }

  /** Removes the window that is due. */
  remove(): void {
    this.windows.remove();
  }

  /** Adds the windows that an earlier incarnation left. */
  restore(stored: Iterable<readonly [place: string, window: unknown]>): void {
    const found = [...stored].map(([place, window]) => [Number(place), window as StoredWindow<Key, State>] as const);
    found.sort(([a], [b]) => a - b);
    for (const [place, [key, start, end, state, records]] of found) {
      const window = this.windows.restore({ key, start, end, state, records });
      this.open.add(window);
      this.records += records;
      this.entries?.restored(window, place);
      this.nextPlace = place + 1;
    }
  }

  changes(): Iterable<Change> {
    return this.entries?.changes() ?? [];
  }

  added(window: OpenWindow<Key, State>): void {
    const { scope, maxWindows = DEFAULT_MAX_WINDOWS } = this.parts;
    if (this.open.size >= maxWindows) {
      throw new FatalTaskError(
        'MILLRACE_WINDOW_OVERFLOW',
        `'${scope.task}' holds ${maxWindows} open windows, the most allowed, and got another one. Raise \`maxWindows\`, choose a coarser key, or let windows close earlier: with a smaller \`allowedLatenessMs\`, or with \`idleMs\` if a partition brings no records`,
      );
    }
    this.open.add(window);
    this.changed(window);
  }

  changed(window: OpenWindow<Key, State>): void {
    const { scope, maxRecords = Infinity } = this.parts;
    if (++this.records > maxRecords) {
      throw new FatalTaskError(
        'MILLRACE_WINDOW_OVERFLOW',
        `'${scope.task}' holds ${maxRecords} records in its open windows, the most allowed, and got another one. Raise \`maxRecords\`, choose smaller windows, or let them close earlier: with a smaller \`allowedLatenessMs\`, or with \`idleMs\` if a partition brings no records`,
      );
    }
    this.entries?.changed(window);
    this.parts.onChanged?.(window);
  }

  removed(window: OpenWindow<Key, State>): void {
    this.open.delete(window);
    this.records -= window.records;
    this.entries?.removed(window);
  }
}

function windowsOf<In, Key, State>(
  kind: WindowKind,
  folding: Folding<In, Key, State>,
  observer: WindowObserver<Key, State>,
): OpenWindows<In, Key, State> {
  if (kind.kind === 'fixed') return new FixedWindows(kind, folding, observer);
  if (kind.kind === 'session') return new SessionWindows(kind.gapMs, folding, observer);
  return new CountedWindows(kind.records, folding, observer);
}

function storedForm<Key, State>(window: OpenWindow<Key, State>): StoredWindow<Key, State> {
  return [window.key, window.start, window.end, window.state, window.records];
}
