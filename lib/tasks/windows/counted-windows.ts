/** Windows of a fixed number of records of a key. Guarantees: the last record of a window closes it at once. */
import {
  NOTHING_MISSED,
  type Folding,
  type Missed,
  type OpenWindow,
  type OpenWindows,
  type Placed,
  type WindowObserver,
} from './open-windows.js';

export class CountedWindows<In, Key, State> implements OpenWindows<In, Key, State> {
  readonly nextEnd = undefined;
  private readonly most: number;
  private readonly folding: Folding<In, Key, State>;
  private readonly observer: WindowObserver<Key, State>;
  private readonly keys = new Map<Key, OpenWindow<Key, State>>();
  private full: OpenWindow<Key, State> | undefined;
  private current: OpenWindow<Key, State> | undefined;
  private remaining: Iterator<OpenWindow<Key, State>> | undefined;

  constructor(most: number, folding: Folding<In, Key, State>, observer: WindowObserver<Key, State>) {
    this.most = most;
    this.folding = folding;
    this.observer = observer;
  }

  add({ key, record, at }: Placed<In, Key>): Missed {
    const { folding, observer } = this;
    const found = this.keys.get(key);
    const state = folding.add(found === undefined ? folding.init(key) : found.state, record);
    const window = found ?? { key, start: at, end: at + 1, state, records: 1 };
    if (found === undefined) {
      observer.added(window);
      this.keys.set(key, window);
    } else {
      found.state = state;
      found.end = at + 1;
      found.records++;
      observer.changed(found);
    }
    if (window.records >= this.most) this.full = window;
    return NOTHING_MISSED;
  }

  due(closed: number): OpenWindow<Key, State> | undefined {
    this.current ??= this.full ?? (closed === Infinity ? this.nextAtEnd() : undefined);
    return this.current;
  }

  remove(): void {
    const { current } = this;
    if (current === undefined) return;
    this.keys.delete(current.key);
    if (this.full === current) this.full = undefined;
    this.current = undefined;
    this.observer.removed(current);
  }

  restore(window: OpenWindow<Key, State>): OpenWindow<Key, State> {
    this.keys.set(window.key, window);
    if (window.records >= this.most) this.full = window;
    return window;
  }

  /** The next window to close at the end of the input, in the order in which the windows began. */
  private nextAtEnd(): OpenWindow<Key, State> | undefined {
    // One iterator, because a new one would walk over all deleted entries.
    this.remaining ??= this.keys.values();
    return this.remaining.next().value as OpenWindow<Key, State> | undefined;
  }
}
