/**
 * Windows that all keys have in common: tumbling and sliding ones.
 *
 * Guarantees: windows are closed in the order of their ends; windows with the same end, in the order in which their
 * keys first appeared.
 */
import {
  NOTHING_MISSED,
  type Folding,
  type Missed,
  type OpenWindow,
  type OpenWindows,
  type Placed,
  type WindowObserver,
} from './open-windows.js';
import { MinHeap } from './min-heap.js';
import type { WindowKind } from './window-kinds.js';

type Fixed = Extract<WindowKind, { kind: 'fixed' }>;

/** All windows with one start, by key. */
type Pane<Key, State> = Map<Key, OpenWindow<Key, State>>;

/**
 * The first pane, while its windows are closed. One iterator, because a new one would walk over all deleted entries.
 */
interface Closing<Key, State> {
  readonly pane: Pane<Key, State>;
  readonly windows: Iterator<OpenWindow<Key, State>>;
  due: OpenWindow<Key, State> | undefined;
}

export class FixedWindows<In, Key, State> implements OpenWindows<In, Key, State> {
  private readonly kind: Fixed;
  private readonly folding: Folding<In, Key, State>;
  private readonly observer: WindowObserver<Key, State>;
  private readonly panes = new Map<number, Pane<Key, State>>();
  /** The starts of the panes. */
  private readonly starts = new MinHeap();
  private closing: Closing<Key, State> | undefined;

  constructor(kind: Fixed, folding: Folding<In, Key, State>, observer: WindowObserver<Key, State>) {
    this.kind = kind;
    this.folding = folding;
    this.observer = observer;
  }

  get nextEnd(): number | undefined {
    const { least } = this.starts;
    return least === undefined ? undefined : least + this.kind.sizeMs;
  }

  add({ key, record, at, closed }: Placed<In, Key>): Missed {
    const { sizeMs, everyMs, offsetMs } = this.kind;
    const last = Math.floor((at - offsetMs) / everyMs) * everyMs + offsetMs;
    if (sizeMs === everyMs) {
      if (last + sizeMs <= closed) return [{ start: last, end: last + sizeMs }];
      this.commit(key, last, this.next(key, last, record));
      return NOTHING_MISSED;
    }
    const missed: { start: number; end: number }[] = [];
    const states: [start: number, state: State][] = [];
    for (let start = last; start > at - sizeMs; start -= everyMs) {
      if (start + sizeMs <= closed) missed.push({ start, end: start + sizeMs });
      // All states are made before the first one is set, because a function of the user may throw.
      else states.push([start, this.next(key, start, record)]);
    }
    for (const [start, state] of states) this.commit(key, start, state);
    return missed.reverse();
  }

  due(closed: number): OpenWindow<Key, State> | undefined {
    for (;;) {
      const { least } = this.starts;
      if (least === undefined || least + this.kind.sizeMs > closed) return undefined;
      const pane = this.panes.get(least) as Pane<Key, State>;
      if (this.closing?.pane !== pane) this.closing = { pane, windows: pane.values(), due: undefined };
      const { closing } = this;
      closing.due ??= closing.windows.next().value as OpenWindow<Key, State> | undefined;
      if (closing.due !== undefined) return closing.due;
      this.panes.delete(least);
      this.starts.pop();
      this.closing = undefined;
    }
  }

  remove(): void {
    const { closing } = this;
    if (closing?.due === undefined) return;
    closing.pane.delete(closing.due.key);
    this.observer.removed(closing.due);
    closing.due = undefined;
  }

  restore(window: OpenWindow<Key, State>): OpenWindow<Key, State> {
    this.paneAt(window.start).set(window.key, window);
    return window;
  }

  private next(key: Key, start: number, record: In): State {
    const window = this.panes.get(start)?.get(key);
    return this.folding.add(window === undefined ? this.folding.init(key) : window.state, record);
  }

  private commit(key: Key, start: number, state: State): void {
    const window = this.panes.get(start)?.get(key);
    if (window !== undefined) {
      window.state = state;
      window.records++;
      this.observer.changed(window);
      return;
    }
    const made = { key, start, end: start + this.kind.sizeMs, state, records: 1 };
    this.observer.added(made);
    this.paneAt(start).set(key, made);
  }

  private paneAt(start: number): Pane<Key, State> {
    const found = this.panes.get(start);
    if (found !== undefined) return found;
    const pane: Pane<Key, State> = new Map();
    this.panes.set(start, pane);
    this.starts.push(start);
    return pane;
  }
}
