/**
 * Windows of activity: each key has windows of its own, which grow and are merged when they meet.
 *
 * Guarantees: windows are closed in the order of their ends. The memory for that order is bounded by the number of open
 * windows.
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

/** A session. */
interface Session<Key, State> extends OpenWindow<Key, State> {
  /** The bucket that contains it. Its present end may be later. */
  bucket: number;
}

/** The first bucket, while its sessions are closed. One iterator, because a new one would walk over deleted entries. */
interface Closing<Key, State> {
  readonly bucket: Set<Session<Key, State>>;
  readonly sessions: Iterator<Session<Key, State>>;
  due: Session<Key, State> | undefined;
}

export class SessionWindows<In, Key, State> implements OpenWindows<In, Key, State> {
  private readonly gapMs: number;
  private readonly folding: Folding<In, Key, State>;
  private readonly observer: WindowObserver<Key, State>;
  /** The sessions of each key, by their starts. */
  private readonly keys = new Map<Key, Session<Key, State>[]>();
  private readonly buckets = new Map<number, Set<Session<Key, State>>>();
  private readonly ends = new MinHeap();
  private closing: Closing<Key, State> | undefined;

  constructor(gapMs: number, folding: Folding<In, Key, State>, observer: WindowObserver<Key, State>) {
    this.gapMs = gapMs;
    this.folding = folding;
    this.observer = observer;
  }

  get nextEnd(): number | undefined {
    return this.ends.least;
  }

  add({ key, record, at, closed }: Placed<In, Key>): Missed {
    const { folding, observer } = this;
    const all = this.keys.get(key) ?? [];
    const met = all.filter(({ start, end }) => start < at + this.gapMs && at < end);
    const start = met.reduce((least, session) => Math.min(least, session.start), at);
    const end = met.reduce((most, session) => Math.max(most, session.end), at + this.gapMs);
    if (end <= closed) return [{ start, end }];
    const [first, ...others] = met;
    if (first === undefined) {
      const state = folding.add(folding.init(key), record);
      const made = { key, start, end, state, records: 1, bucket: end };
      observer.added(made);
      this.insert(all, made);
      return NOTHING_MISSED;
    }
    const merged = others.reduce((state, other) => folding.merge(state, other.state), first.state);
    first.state = folding.add(merged, record);
    first.start = start;
    first.end = end;
    first.records += others.reduce((sum, { records }) => sum + records, 1);
    observer.changed(first);
    for (const other of others) {
      // Its records belong to the first session now.
      other.records = 0;
      this.drop(other);
    }
    return NOTHING_MISSED;
  }

  due(closed: number): OpenWindow<Key, State> | undefined {
    for (;;) {
      const { least } = this.ends;
      if (least === undefined || least > closed) return undefined;
      const bucket = this.buckets.get(least) as Set<Session<Key, State>>;
      if (this.closing?.bucket !== bucket) this.closing = { bucket, sessions: bucket.values(), due: undefined };
      const { closing } = this;
      closing.due ??= closing.sessions.next().value as Session<Key, State> | undefined;
      if (closing.due === undefined) {
        this.buckets.delete(least);
        this.ends.pop();
        this.closing = undefined;
      } else if (closing.due.end > least) {
        this.leaveBucket(closing.due);
        this.enterBucket(closing.due);
        closing.due = undefined;
      } else return closing.due;
    }
  }

  remove(): void {
    const { closing } = this;
    if (closing?.due === undefined) return;
    this.drop(closing.due);
    closing.due = undefined;
  }

  restore(window: OpenWindow<Key, State>): OpenWindow<Key, State> {
    const session = { ...window, bucket: window.end };
    this.insert(this.keys.get(window.key) ?? [], session);
    return session;
  }

  private insert(all: Session<Key, State>[], session: Session<Key, State>): void {
    const index = all.findIndex(({ start }) => start > session.start);
    all.splice(index === -1 ? all.length : index, 0, session);
    this.keys.set(session.key, all);
    this.enterBucket(session);
  }

  private drop(session: Session<Key, State>): void {
    const all = this.keys.get(session.key) as Session<Key, State>[];
    all.splice(all.indexOf(session), 1);
    if (all.length === 0) this.keys.delete(session.key);
    this.leaveBucket(session);
    this.observer.removed(session);
  }

  private enterBucket(session: Session<Key, State>): void {
    session.bucket = session.end;
    const bucket = this.buckets.get(session.end);
    if (bucket !== undefined) {
      bucket.add(session);
      return;
    }
    this.buckets.set(session.end, new Set([session]));
    this.ends.push(session.end);
  }

  private leaveBucket(session: Session<Key, State>): void {
    this.buckets.get(session.bucket)?.delete(session);
  }
}
